"""Distillation losses on plain tensors: one file a method, a pure function and its module side by side."""

from pupil.losses.aid import AIDLoss
from pupil.losses.aid_logits import AIDLogitsLoss, aid_logits_loss
from pupil.losses.attention import AttentionLoss, attention_loss
from pupil.losses.attention_guided import AttentionGuidedLoss, attention_guided_loss
from pupil.losses.attention_transfer import AttentionTransferLoss, attention_transfer_loss
from pupil.losses.byot import BYOTLoss, byot_loss
from pupil.losses.cckd import CCKDLoss, cckd_loss
from pupil.losses.channel_similarity import ChannelSimilarityLoss, channel_similarity_loss
from pupil.losses.cirkd import CIRKDLoss, cirkd_loss, cirkd_memory_loss
from pupil.losses.cs_kd import CSKDLoss, cs_kd_loss
from pupil.losses.cwd import CWDLoss, cwd_loss
from pupil.losses.dist import DISTLoss, dist_loss
from pupil.losses.dkd import DKDLoss, dkd_loss
from pupil.losses.dsd import CSDLoss, PSDLoss, csd_loss, psd_loss
from pupil.losses.fbkd import FBKDLoss
from pupil.losses.fgd import FGDLoss, fgd_loss
from pupil.losses.fgfi import FGFILoss, fgfi_loss
from pupil.losses.hint import HintLoss, hint_loss
from pupil.losses.icsd import ICSDLoss, icsd_loss, inter_class_similarity
from pupil.losses.ifvd import IFVDLoss, ifvd_loss
from pupil.losses.kd import KDLoss, kd_loss
from pupil.losses.non_local import NonLocalLoss, non_local_loss
from pupil.losses.pairwise import PairwiseLoss, pairwise_loss
from pupil.losses.pkd import PKDLoss, pkd_loss
from pupil.losses.pkt import PKTLoss, pkt_loss
from pupil.losses.ps_kd import PSKDLoss, ps_kd_loss
from pupil.losses.rkd import RKDLoss, rkd_loss
from pupil.losses.sad import SADLoss, sad_loss
from pupil.losses.similarity import SimilarityLoss, similarity_loss
from pupil.losses.tf_kd import TfKDLoss, tf_kd_loss

__all__ = [
    "AIDLogitsLoss",
    "AIDLoss",
    "AttentionGuidedLoss",
    "AttentionLoss",
    "AttentionTransferLoss",
    "BYOTLoss",
    "CCKDLoss",
    "CIRKDLoss",
    "CSDLoss",
    "CSKDLoss",
    "CWDLoss",
    "ChannelSimilarityLoss",
    "DISTLoss",
    "DKDLoss",
    "FBKDLoss",
    "FGDLoss",
    "FGFILoss",
    "HintLoss",
    "ICSDLoss",
    "IFVDLoss",
    "KDLoss",
    "NonLocalLoss",
    "PKDLoss",
    "PKTLoss",
    "PSDLoss",
    "PSKDLoss",
    "PairwiseLoss",
    "RKDLoss",
    "SADLoss",
    "SimilarityLoss",
    "TfKDLoss",
    "aid_logits_loss",
    "attention_guided_loss",
    "attention_loss",
    "attention_transfer_loss",
    "byot_loss",
    "cckd_loss",
    "channel_similarity_loss",
    "cirkd_loss",
    "cirkd_memory_loss",
    "cs_kd_loss",
    "csd_loss",
    "cwd_loss",
    "dist_loss",
    "dkd_loss",
    "fgd_loss",
    "fgfi_loss",
    "hint_loss",
    "icsd_loss",
    "ifvd_loss",
    "inter_class_similarity",
    "kd_loss",
    "non_local_loss",
    "pairwise_loss",
    "pkd_loss",
    "pkt_loss",
    "ps_kd_loss",
    "psd_loss",
    "rkd_loss",
    "sad_loss",
    "similarity_loss",
    "tf_kd_loss",
]
