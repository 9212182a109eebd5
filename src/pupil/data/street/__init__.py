"""Drawn street scenes: a seeded generator of small driving scenes that knows every label of what it draws.

A street is laid out (`layout`) in metres (`world`) from polygons (`shapes`, `palette`); a camera sees it (`camera`).
Each polygon paints its own number on one canvas (`canvas`), so that image, mask, boxes and depth are look-ups in it;
light and weather make it a picture (`weather`). `scene` draws one, `dataset` many, `noise` spoils labels on request.
"""

from pupil.data.street.dataset import StreetScenes
from pupil.data.street.scene import BOX_CLASSES, CLASSES, COLOURS, MIN_PIXELS, Scene, draw_scene

__all__ = ["BOX_CLASSES", "CLASSES", "COLOURS", "MIN_PIXELS", "Scene", "StreetScenes", "draw_scene"]
