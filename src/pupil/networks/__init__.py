"""Parts that exist only during training and never reach the student's weights."""

from pupil.networks.adapters import ChannelAdapter, adapter
from pupil.networks.grids import ChannelsFirst, TokensToGrid, map_of, token_grid

__all__ = ["ChannelAdapter", "ChannelsFirst", "TokensToGrid", "adapter", "map_of", "token_grid"]
