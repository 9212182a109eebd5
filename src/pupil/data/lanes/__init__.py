"""Lanes: images with the points of their lanes, one file a format, slots, drawn masks, and what goes out again.

The label of an image is its lanes as points; to train on, `transforms` draws them as a mask at the network's size.
"""

from pupil.data.lanes.formats import lanes_data, lanes_validation

__all__ = ["lanes_data", "lanes_validation"]
