from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.errors import UsageError
from pupil.lesson import Activations, Lesson
from pupil.tasks.segmentation import SegmentationTask
from pupil.tasks.segmentation_loss import SegmentationLoss

CLASSES = ["road", "car", "sky"]
COLOURS = [(255, 0, 0), (0, 255, 0), (0, 0, 255)]


def images(*size: int, seed: int = 0) -> Tensor:
    return torch.rand(*size, generator=torch.Generator().manual_seed(seed))


def pointwise(classes: int = 3) -> nn.Conv2d:
    """A network that looks at one pixel at a time."""
    torch.manual_seed(0)
    return nn.Conv2d(3, classes, 1)


class Answering(nn.Module):
    """A network that gives its logits in some form."""

    def __init__(self, form: Callable[[Tensor], Any], stride: int = 1) -> None:
        super().__init__()
        self.form = form
        self.stride = stride
        self.layer = pointwise()
        self.seen: list[tuple[int, ...]] = []

    def forward(self, image: Tensor) -> Any:
        self.seen.append(tuple(image.shape[-2:]))
        return self.form(F.avg_pool2d(self.layer(image), self.stride, ceil_mode=True))


@pytest.mark.parametrize(
    ("form", "auxiliary"),
    [
        (lambda logits: logits, False),
        (lambda logits: {"out": logits}, False),
        (lambda logits: {"out": logits, "aux": 2 * logits}, True),
        (lambda logits: {"logits": logits, "hidden_states": None}, False),
        (lambda logits: {"logits": logits, "auxiliary_logits": 2 * logits}, True),
        (lambda logits: (logits,), False),
        (lambda logits: (logits, 2 * logits), True),
        (lambda logits: [logits, 2 * logits], True),
    ],
)
def test_logits_are_found_in_every_usual_form(form: Callable[[Tensor], Any], auxiliary: bool) -> None:
    model, image = Answering(form), images(2, 3, 4, 6)
    shown = SegmentationTask(CLASSES).call(model, image)
    assert torch.equal(shown.output, model.layer(image))
    assert list(shown.features) == (["aux"] if auxiliary else [])
    if auxiliary:
        assert torch.equal(shown.features["aux"], 2 * model.layer(image))


@pytest.mark.parametrize("form", [lambda logits: {"masks": logits}, lambda logits: "logits", lambda logits: ()])
def test_other_forms_are_refused(form: Callable[[Tensor], Any]) -> None:
    with pytest.raises(UsageError, match="expected a tensor, a dict with 'out' or 'logits', or a tuple of tensors"):
        SegmentationTask(CLASSES).call(Answering(form), images(1, 3, 4, 4))


@pytest.mark.parametrize("model", [pointwise(4), nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())])
def test_a_wrong_number_of_classes_is_refused(model: nn.Module) -> None:
    with pytest.raises(UsageError, match=r"expected logits \(N, 3, h, w\) for 3 classes, got .* from"):
        SegmentationTask(CLASSES).call(model, images(1, 3, 4, 4))


def test_a_feature_map_is_not_taken_for_auxiliary_logits() -> None:
    model = Answering(lambda logits: (logits, torch.zeros(1, 64, 4, 4)))
    with pytest.raises(UsageError, match=r"expected auxiliary logits \(N, 3, h, w\), got \(1, 64, 4, 4\)"):
        SegmentationTask(CLASSES).call(model, images(1, 3, 4, 4))


def test_one_class_is_no_segmentation() -> None:
    with pytest.raises(UsageError, match="expected at least two classes"):
        SegmentationTask(["road"])


def test_each_network_normalises_for_itself() -> None:
    model, image = pointwise(), images(1, 3, 4, 4)
    model.preprocessing = lambda image: 2 * image - 1
    shown = SegmentationTask(CLASSES).call(model, image)
    torch.testing.assert_close(shown.output, pointwise()(2 * image - 1))


def test_the_objective_knows_the_tasks_settings() -> None:
    task = SegmentationTask(CLASSES, ignore_index=7, objective={"auxiliary_weight": 0.2, "label_smoothing": 0.1})
    loss, inputs = task.objective(label_smoothing=0.3)
    assert isinstance(loss, SegmentationLoss)
    assert (loss.ignore_index, loss.auxiliary_weight, loss.label_smoothing) == (7, 0.2, 0.3)
    logits, auxiliary, target = images(1, 3, 4, 4), images(1, 3, 2, 2, seed=1), torch.zeros(1, 8, 8, dtype=torch.long)
    lesson = Lesson(None, target, Activations(logits, {"aux": auxiliary}))
    assert loss(*inputs(lesson)) == loss(logits, target, auxiliary)
    assert loss(*inputs(Lesson(None, target, Activations(logits)))) == loss(logits, target)


@pytest.mark.parametrize("stride", [1, 2, 4, 3])
def test_predicts_at_the_images_own_size(stride: int) -> None:
    model, image = Answering(lambda logits: logits, stride), images(2, 3, 9, 14)
    prediction = SegmentationTask(CLASSES).predict(model, image)
    expected = F.interpolate(model(image), size=(9, 14), mode="bilinear").argmax(1)
    assert prediction.dtype == torch.uint8
    assert torch.equal(prediction.long(), expected)


def test_the_network_sees_the_evaluation_size() -> None:
    model = Answering(lambda logits: logits)
    prediction = SegmentationTask(CLASSES, size=(6, 8)).predict(model, images(1, 3, 9, 14))
    assert model.seen == [(6, 8)]
    assert prediction.shape == (1, 9, 14)


@pytest.mark.parametrize("window", [(4, 6), (5, 5), (3, 100), (100, 100), (1, 1)])
def test_a_sliding_window_changes_nothing_for_a_pointwise_network(window: tuple[int, int]) -> None:
    model, image = pointwise(), images(2, 3, 11, 13)
    whole, sliding = (SegmentationTask(CLASSES, window=each).predict(model, image) for each in (None, window))
    assert torch.equal(whole, sliding)


def test_windows_weigh_alike_wherever_they_overlap() -> None:
    # Resized afterwards, logits of unlike scale would mix at the borders of the overlap.
    model, image = pointwise(), images(2, 3, 44, 52)
    whole, sliding = (
        SegmentationTask(CLASSES, size=(11, 13), window=each).predict(model, image) for each in (None, (4, 6))
    )
    assert torch.equal(whole, sliding)


def test_windows_overlap_by_half_and_cover_the_image() -> None:
    model = Answering(lambda logits: logits)
    SegmentationTask(CLASSES, window=(4, 8)).predict(model, images(1, 3, 8, 8))
    # Rows 0-3, 2-5, 4-7 of the whole width.
    assert model.seen == [(4, 8)] * 3


def test_many_classes_do_not_fit_into_a_byte() -> None:
    names = [str(each) for each in range(300)]
    assert SegmentationTask(names).predict(pointwise(300), images(1, 3, 2, 2)).dtype == torch.int64


def test_prediction_keeps_no_graph_and_the_networks_precision() -> None:
    model = Answering(lambda logits: logits, 2).double()
    seen: list[Tensor] = []
    model.register_forward_hook(lambda module, args, output: seen.append(output))
    SegmentationTask(CLASSES).predict(model, images(1, 3, 4, 4).double())
    assert not seen[0].requires_grad
    assert seen[0].dtype == torch.float64


def test_a_picture_is_the_image_under_paint() -> None:
    task = SegmentationTask(CLASSES, colours=COLOURS)
    image, ids = torch.full((3, 2, 2), 1.0), torch.tensor([[0, 1], [2, 255]], dtype=torch.uint8)
    picture = task.draw(image, ids)
    assert picture.shape == (3, 2, 2)
    assert picture.dtype == torch.uint8
    faint = round(0.35 * 255)
    assert picture[:, 0, 0].tolist() == [255, faint, faint]
    assert picture[:, 1, 0].tolist() == [faint, faint, 255]
    assert picture[:, 1, 1].tolist() == [255, 255, 255]


@pytest.mark.parametrize("ignore_index", [-100, -1, 255])
def test_label_and_prediction_stand_side_by_side(ignore_index: int) -> None:
    task = SegmentationTask(CLASSES, colours=COLOURS, ignore_index=ignore_index)
    image, prediction = images(3, 2, 2), torch.zeros(2, 2, dtype=torch.uint8)
    target = torch.full((2, 2), ignore_index)
    picture = task.draw(image, prediction, target)
    assert torch.equal(picture[..., :2], (image * 255).round().to(torch.uint8))
    assert torch.equal(picture[..., 2:], task.draw(image, prediction))


def test_drawing_needs_colours() -> None:
    with pytest.raises(UsageError, match="expected colours to draw with, got none"):
        SegmentationTask(CLASSES).draw(images(3, 2, 2), torch.zeros(2, 2))


def test_a_network_of_more_classes_answers_in_the_tasks() -> None:
    model, image = Answering(lambda logits: {"out": logits, "aux": 2 * logits}), images(2, 3, 4, 6)
    model.classes = ("sky", "road", "car")
    whole = model.layer(image)
    shown = SegmentationTask(CLASSES).call(model, image)
    assert torch.equal(shown.output, whole[:, [1, 2, 0]])
    assert torch.equal(shown.features["aux"], 2 * whole[:, [1, 2, 0]])
    shown.output[:, 0].sum().backward()
    assert model.layer.bias.grad.tolist() == [0, 2 * 4 * 6, 0]
    assert SegmentationTask(["sky", "road"]).call(model, image).output.shape == (2, 2, 4, 6)
    with pytest.raises(UsageError, match="got none for tree among its sky, road, car"):
        SegmentationTask(["sky", "tree"]).call(model, image)


def test_a_number_of_classes_is_no_name() -> None:
    model = pointwise()
    model.classes = 3
    assert SegmentationTask(CLASSES).call(model, images(1, 3, 4, 4)).output.shape == (1, 3, 4, 4)


def test_selecting_classes_compiles_without_a_graph_break() -> None:
    model, image = pointwise(), images(1, 3, 4, 4)
    model.classes = ("sky", "road", "car")
    task = SegmentationTask(CLASSES)
    expected = task.call(model, image).output
    compiled = torch.compile(lambda image: task.call(model, image).output, backend="eager", fullgraph=True)
    assert torch.equal(compiled(image), expected)
