"""The engine: one training loop for every method and task, on Accelerate."""
