"""Object detection: images with the boxes of what they show, one file a format, and the transform of both.

A target is a dict of tensors with one row a box, see :class:`pupil.data.detection.boxes.DetectionData`.
"""

from pupil.data.detection.formats import detection_data, detection_validation

__all__ = ["detection_data", "detection_validation"]
