"""Pupil makes vision models smaller and better by knowledge distillation."""

__version__ = "0.1.0"
