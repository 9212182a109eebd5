"""Reports: tables for the terminal and the README, curves, pictures, and one HTML page that needs nothing beside it."""
