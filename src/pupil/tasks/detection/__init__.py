"""Object detection: torchvision's detectors as student and teacher, one file a family, by their public parts."""

from pupil.tasks.detection.calls import DetectorCall, detector_call
from pupil.tasks.detection.records import DetectorRecord, ImageBatch, TaskLosses

__all__ = ["DetectorCall", "DetectorRecord", "ImageBatch", "TaskLosses", "detector_call"]
