"""Recipes: one function a recipe, options in, run out."""
