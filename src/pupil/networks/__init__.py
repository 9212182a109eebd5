"""Parts that exist only during training and never reach the student's weights."""

from pupil.networks.adapters import ChannelAdapter, GridToTokens, TokensToGrid, adapter

__all__ = ["ChannelAdapter", "GridToTokens", "TokensToGrid", "adapter"]
