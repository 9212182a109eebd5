"""Recipes: one function a recipe, options in, run out. Those of papers fix the papers' numbers."""

from pupil.recipes import cityscapes_aicsd, cityscapes_cwd, cityscapes_structkd_pixel_pairwise, voc_aicsd

PAPERS = (voc_aicsd, cityscapes_aicsd, cityscapes_structkd_pixel_pairwise, cityscapes_cwd)
