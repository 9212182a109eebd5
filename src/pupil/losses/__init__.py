"""Distillation losses on plain tensors: one file a method, a pure function and its module side by side."""

from pupil.losses.kd import KDLoss, kd_loss

__all__ = ["KDLoss", "kd_loss"]
