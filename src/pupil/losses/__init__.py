"""Distillation losses on plain tensors: one file a method, a pure function and its module side by side."""

from pupil.losses.attention import AttentionLoss, attention_loss
from pupil.losses.channel_similarity import ChannelSimilarityLoss, channel_similarity_loss
from pupil.losses.cirkd import CIRKDLoss, cirkd_loss, cirkd_memory_loss
from pupil.losses.cwd import CWDLoss, cwd_loss
from pupil.losses.dsd import CSDLoss, PSDLoss, csd_loss, psd_loss
from pupil.losses.hint import HintLoss, hint_loss
from pupil.losses.icsd import ICSDLoss, icsd_loss, inter_class_similarity
from pupil.losses.ifvd import IFVDLoss, ifvd_loss
from pupil.losses.kd import KDLoss, kd_loss
from pupil.losses.pairwise import PairwiseLoss, pairwise_loss
from pupil.losses.similarity import SimilarityLoss, similarity_loss

__all__ = [
    "AttentionLoss",
    "CIRKDLoss",
    "CSDLoss",
    "CWDLoss",
    "ChannelSimilarityLoss",
    "HintLoss",
    "ICSDLoss",
    "IFVDLoss",
    "KDLoss",
    "PSDLoss",
    "PairwiseLoss",
    "SimilarityLoss",
    "attention_loss",
    "channel_similarity_loss",
    "cirkd_loss",
    "cirkd_memory_loss",
    "csd_loss",
    "cwd_loss",
    "hint_loss",
    "icsd_loss",
    "ifvd_loss",
    "inter_class_similarity",
    "kd_loss",
    "pairwise_loss",
    "psd_loss",
    "similarity_loss",
]
