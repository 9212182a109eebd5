"""Distillation losses on plain tensors: one file a method, a pure function and its module side by side."""

from pupil.losses.channel_similarity import ChannelSimilarityLoss, channel_similarity_loss
from pupil.losses.cwd import CWDLoss, cwd_loss
from pupil.losses.icsd import ICSDLoss, icsd_loss, inter_class_similarity
from pupil.losses.kd import KDLoss, kd_loss

__all__ = [
    "CWDLoss",
    "ChannelSimilarityLoss",
    "ICSDLoss",
    "KDLoss",
    "channel_similarity_loss",
    "cwd_loss",
    "icsd_loss",
    "inter_class_similarity",
    "kd_loss",
]
