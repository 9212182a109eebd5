"""Parts that exist only during training and never reach the student's weights."""

from pupil.networks.adapters import ChannelAdapter, GridToTokens, TokensToGrid, adapter
from pupil.networks.grids import ChannelsFirst, map_of, token_grid

__all__ = ["ChannelAdapter", "ChannelsFirst", "GridToTokens", "TokensToGrid", "adapter", "map_of", "token_grid"]
