"""Our small detectors: they learn, come back from their state, and are as small as the docs say."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.models import count_parameters, load_model
from pupil.models.detectors import NAMES, small_detector
from pupil.tasks.detection import detector_call
from pupil.tasks.detection.task import DetectionTask

TASK = DetectionTask(["car", "person", "tree"])
LEVELS = {"tiny-retinanet": 3, "tiny-fcos": 3, "tiny-fasterrcnn": 4}
every_small = pytest.mark.parametrize("name", NAMES)


def batch(seed: int = 0) -> tuple[list[Tensor], list[dict[str, Tensor]]]:
    """Two images of unlike size, each with two objects."""
    random = torch.Generator().manual_seed(seed)
    images = [torch.rand(3, *size, generator=random) for size in ((96, 128), (112, 96))]
    boxes = torch.tensor([[8.0, 8, 40, 60], [50, 20, 90, 50]])
    return images, [{"boxes": boxes, "labels": torch.tensor([1, 3])} for _ in images]


def trained_step(model: nn.Module, steps: int = 1) -> list[float]:
    call, optimizer = detector_call(model), torch.optim.SGD(model.parameters(), lr=0.02)
    losses = []
    for _ in range(steps):
        torch.manual_seed(0)  # the proposals that are compared with boxes are drawn
        loss = sum(call(model.train(), *batch()).output.losses.values())
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(float(loss.detach()))
    return losses


@every_small
def test_small_detectors_learn_and_predict_in_pixels_of_the_image(name: str) -> None:
    model = load_model(f"pupil:{name}?min_size=96&max_size=128", 3, seed=0, kind="boxes")
    assert model.training
    assert not hasattr(model, "preprocessing")
    losses = trained_step(model, steps=6)
    assert losses[-1] < losses[0]
    assert all(parameter.grad is not None for parameter in model.parameters())
    shown = detector_call(model)(model, *batch())
    assert shown.output.levels == tuple(str(level) for level in range(LEVELS[name]))
    assert {shape.shape[1] for level, shape in shown.features.items() if level.isdigit()} == {64}
    logits = shown.features["class_logits" if name == "tiny-fasterrcnn" else "cls_logits"]
    assert logits.shape[-1] == 4  # the background is one more
    found = TASK.predict(model.eval(), batch()[0])
    assert all((each["boxes"][:, 2] <= width).all() for each, width in zip(found, (128, 96), strict=True))


@every_small
def test_the_state_of_a_small_detector_goes_round(name: str) -> None:
    first = load_model(f"pupil:{name}?width=32&min_size=96", 3, seed=0, kind="boxes")
    trained_step(first)
    second = load_model(f"pupil:{name}?width=32&min_size=96", 3, seed=1, kind="boxes")
    second.load_state_dict(first.state_dict(), strict=True)
    ours, theirs = (TASK.predict(model.eval(), batch()[0]) for model in (first, second))
    assert all(torch.equal(each["boxes"], other["boxes"]) for each, other in zip(ours, theirs, strict=True))


def test_small_detectors_are_small_and_scale() -> None:
    sizes = {name: count_parameters(small_detector(name, 3)) for name in NAMES}
    assert sizes == {"tiny-retinanet": 588_744, "tiny-fcos": 552_905, "tiny-fasterrcnn": 748_323}
    assert count_parameters(small_detector("tiny-fcos", 3, width=128)) > 3.9 * sizes["tiny-fcos"]
    assert count_parameters(small_detector("tiny-fcos", 3, depth=2)) > 1.2 * sizes["tiny-fcos"]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("tiny-retina", "unknown model of the family 'pupil' 'tiny-retina': did you mean tiny-retinanet"),
        ("tiny-fcos?width=48", "expected a width in multiples of 32 channels, got 48"),
        ("tiny-fcos?depth=0", "expected a depth of at least one block, got 0"),
        ("tiny-fcos?min_size=400", "expected sizes with 0 < min_size <= max_size, got 400 and 320"),
        ("tiny-fcos?minsize=96", "unknown option of pupil:tiny-fcos 'minsize': did you mean min_size"),
    ],
)
def test_mistakes_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(f"pupil:{spec}", 3, kind="boxes")
    assert "\n" not in str(caught.value)
