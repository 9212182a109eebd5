"""Object detection: torchvision's detectors as student and teacher, one file a family, by their public parts."""

from pupil.tasks.detection.calls import DetectorCall, detector_call
from pupil.tasks.detection.own_call import OwnCall
from pupil.tasks.detection.records import DetectorRecord, ImageBatch, Normalization, TaskLosses

__all__ = ["DetectorCall", "DetectorRecord", "ImageBatch", "Normalization", "OwnCall", "TaskLosses", "detector_call"]
