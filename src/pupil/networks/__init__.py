"""Parts that exist only during training and never reach the student's weights."""

from pupil.networks.adapters import ChannelAdapter, adapter
from pupil.networks.feature_pyramid import PyramidSelfTeacher
from pupil.networks.grids import ChannelsFirst, TokensToGrid, map_of, token_grid
from pupil.networks.self_teacher import SelfTeacher

__all__ = [
    "ChannelAdapter",
    "ChannelsFirst",
    "PyramidSelfTeacher",
    "SelfTeacher",
    "TokensToGrid",
    "adapter",
    "map_of",
    "token_grid",
]
