"""What the layers of a network show, as maps (N, C, H, W), for methods that choose several of one network.

Legend: N images, C channels, H x W positions.
"""

from __future__ import annotations

import math
from collections.abc import Sequence

import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.lesson import Call
from pupil.networks.grids import map_of
from pupil.taps import RECEIVED, dry_run

POOLING = (nn.MaxPool2d, nn.AvgPool2d, nn.AdaptiveMaxPool2d, nn.AdaptiveAvgPool2d)


class LayerMaps:
    """The layers of one network, as a dry run finds them, and the maps that they show or can be laid out as.

    Args:
        model: the network.
        image: a sample batch.
        call: how it is called.
    """

    def __init__(self, model: nn.Module, image: Tensor, call: Call) -> None:
        self.found = dry_run(model, image, call)
        self.images, self.seen = len(image), seen_size(model, image)
        self.pooled = {name for name, module in model.named_modules() if isinstance(module, POOLING)}

    def at(self, name: str, *, positions: int = 1) -> tuple[nn.Module, tuple[int, ...]]:
        """What makes a map of this layer's feature, and the map's shape.

        Raises:
            UsageError: if the layer cannot be tapped, or shows no map of that many positions.
        """
        to_map, shape = laid_out(self.found.shape(name), self.seen)
        if len(shape) != 4 or math.prod(shape[2:]) < positions:
            raise UsageError(
                f"expected a map (N, C, H, W) at layer {name!r}, got {self.found.shape(name)}: "
                "choose layers before any pooling (see `pupil layers`)"
            )
        return to_map, shape

    def shapes(self, before: str | None = None) -> dict[str, tuple[int, ...]]:
        """The shapes of all maps of several positions, in the order in which their layers finish.

        Args:
            before: a layer at which to stop.
        """
        names = list(self.found.layers)
        names = names if before is None else names[: names.index(before.removesuffix(RECEIVED))]
        shown = {name: self.found.layers[name] for name in names}
        shapes = {
            name: laid_out(layer.output, self.seen)[1]
            for name, layer in shown.items()
            if layer.output and not layer.problem
        }
        # Parts that lay the images out anew, in windows for example, show other numbers of them.
        return {
            name: shape
            for name, shape in shapes.items()
            if len(shape) == 4 and shape[0] == self.images and math.prod(shape[2:]) > 1
        }

    def stages(self, before: str | None = None) -> list[str]:
        """The deepest layer of each resolution on the way down to the coarsest, a whole block rather than its parts.

        Pooling alone is none: it shows at another size what the layer before it has learned.
        """
        deepest: dict[tuple[int, ...], str] = {}
        for name, shape in self.shapes(before).items():
            size = shape[2:]
            if name in self.pooled or any(math.prod(size) > math.prod(coarser) for coarser in deepest):
                continue
            # A block comes after its own parts, and before parts of whatever else works at its resolution.
            if name.count(".") <= deepest.get(size, name).count("."):
                deepest[size] = name
        return list(deepest.values())


def laid_out(shape: Sequence[int], seen: Sequence[int]) -> tuple[nn.Module, tuple[int, ...]]:
    """What makes a map (N, C, H, W) of a feature of this shape, where anything does, and the shape that it then has.

    Args:
        shape: of the feature.
        seen: (H, W) of the image as the network receives it.

    Example:
        >>> laid_out((2, 7, 9, 96), (224, 288)), laid_out((2, 10), (224, 288))
        ((ChannelsFirst(), (2, 96, 7, 9)), (Identity(), (2, 10)))
    """
    to_map = map_of(shape, seen) or nn.Identity()
    return to_map, tuple(to_map(torch.empty(tuple(shape), device="meta")).shape)


def named(layers: str | None) -> list[str]:
    """The names in a text that separates them by commas.

    Example:
        >>> named("layer1, layer2,"), named(None)
        (['layer1', 'layer2'], [])
    """
    return list(dict.fromkeys(name.strip() for name in (layers or "").split(",") if name.strip()))


def own_layers(model: nn.Module, attribute: str) -> list[str]:
    """The layers that a network names in an attribute; other people's networks may keep anything else there.

    Example:
        >>> model = nn.Sequential(nn.ReLU())
        >>> model.levels, model.blocks = ("0",), [1, 2]
        >>> own_layers(model, "levels"), own_layers(model, "blocks"), own_layers(model, "stages")
        (['0'], [], [])
    """
    names = getattr(model, attribute, None)
    if isinstance(names, tuple | list) and all(isinstance(name, str) for name in names):
        return list(names)
    return []


def seen_size(model: nn.Module, image: Tensor) -> tuple[int, int]:
    """The size of the image that the network itself receives."""
    preprocessing = getattr(model, "preprocessing", None)
    height, width = (preprocessing(image) if preprocessing else image).shape[-2:]
    return height, width
