"""The same scenes through several networks, for reports."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from torch import Tensor, nn

    from pupil.data.views import Source
    from pupil.tasks.task import Task


def some_images(data: Source, count: int = 8) -> list[Tensor]:
    """A few images, evenly spread over the data."""
    return [image for image, _ in _some(data, count)]


def same_scenes(
    data: Source, task: Task, networks: Mapping[str, nn.Module], *, count: int = 4
) -> list[dict[str, Tensor]]:
    """Pictures of a few scenes, evenly spread over the data: image, labels, then what each network sees.

    Args:
        data: map-style data set of (image, target).
        task: predicts and draws.
        networks: by the name that stands over their pictures.
        count: number of scenes.
    """
    import torch

    from pupil.data.nested import moved

    scenes = []
    for image, target in _some(data, count):
        pictures = {"image": (image * 255).to(torch.uint8), "labels": task.draw(image, target)}
        for name, network in networks.items():
            device = next(network.parameters()).device
            prediction = task.predict(network.eval(), image[None].to(device))[0]
            pictures[name] = task.draw(image, moved(prediction, "cpu"))
        scenes.append(pictures)
    return scenes


def _some(data: Source, count: int) -> Iterator[tuple[Tensor, Any]]:
    from pupil.data.views import Views

    views = Views(data)
    for index in range(0, len(data), -(-len(data) // count)):
        image, target, _ = views[index, 0]
        yield image, target
