"""The lane task: what it asks of a network, what it predicts and draws, and that it can be learned."""

from __future__ import annotations

from typing import Any

import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from pupil.data.lanes.drawn import DrawnLanes
from pupil.data.lanes.points import drawn_mask
from pupil.data.lanes.transforms import lanes_transform
from pupil.data.views import Views
from pupil.errors import UsageError
from pupil.lesson import Activations, Lesson
from pupil.tasks.lanes import LanesTask
from pupil.tasks.lanes_loss import LanesLoss

CLASSES = ("background", "lane 1", "lane 2")
COLOURS = ((0, 0, 0), (255, 0, 0), (0, 255, 0))
ROWS = (0.25, 0.5, 0.75)


def task(**options: Any) -> LanesTask:
    return LanesTask(CLASSES, **{"rows": ROWS, "colours": COLOURS, **options})


class Answering(nn.Module):
    """A network that answers with what it was given, at the size of its image."""

    def __init__(self, mask: Tensor, existence: Tensor | None = None, classes: int = 3) -> None:
        super().__init__()
        self.logits = 20.0 * F.one_hot(mask.long(), classes).movedim(-1, 0)[None].float()
        self.existence = existence
        self.seen: list[Tensor] = []

    def forward(self, image: Tensor) -> Any:
        self.seen.append(image)
        logits = self.logits.expand(len(image), -1, -1, -1)
        if self.existence is None:
            return logits
        return {"out": logits, "existence": self.existence.expand(len(image), -1)}


def two_lanes(size: tuple[int, int] = (24, 40)) -> Tensor:
    height, width = size
    lanes = [[[0.25 * width, 0], [0.25 * width, height]], [[0.75 * width, 0], [0.75 * width, height]]]
    return torch.from_numpy(drawn_mask(lanes, size, 3).copy())


def test_what_it_says_of_itself() -> None:
    assert (task().name, task().kind, task().classes) == ("lanes", "dense", CLASSES)
    found = {metric: task(metric=metric).metric for metric in ("tusimple", "culane", "bdd100k")}
    assert found == {"tusimple": "accuracy", "culane": "f1", "bdd100k": "iou"}
    assert task().legend == {"lane 1": (255, 0, 0), "lane 2": (0, 255, 0)}
    assert task(colours=None).legend == {}


@pytest.mark.parametrize("existence", [None, torch.tensor([[3.0, -3.0]])])
def test_call_names_what_the_network_says(existence: Tensor | None) -> None:
    shown = task().call(Answering(two_lanes(), existence), torch.zeros(2, 3, 24, 40))
    assert shown.output.shape == (2, 3, 24, 40)
    assert set(shown.features) == (set() if existence is None else {"existence"})


def test_call_normalises_as_the_network_expects() -> None:
    network = Answering(two_lanes())
    network.preprocessing = lambda image: image - 1  # type: ignore[assignment]
    task().call(network, torch.ones(1, 3, 24, 40))
    assert (network.seen[0] == 0).all()


def test_networks_of_other_lanes_are_refused() -> None:
    image = torch.zeros(1, 3, 24, 40)
    with pytest.raises(UsageError, match=r"expected logits \(N, 3, h, w\) for background and 2 lanes, got \(1, 4, 24"):
        task().call(Answering(two_lanes(), classes=4), image)
    with pytest.raises(UsageError, match=r"expected existence logits \(N, 2\), got \(1, 3\) from Answering"):
        task().call(Answering(two_lanes(), torch.zeros(1, 3)), image)
    # Slots of the same names stand for other places where there are more of them.
    network = Answering(two_lanes(), classes=5)
    network.classes = ("background", "lane 1", "lane 2", "lane 3", "lane 4")  # type: ignore[assignment]
    with pytest.raises(UsageError, match="expected a network of the lanes background, lane 1, lane 2, got one of"):
        task().call(network, image)
    network = Answering(two_lanes())
    network.classes = CLASSES  # type: ignore[assignment]
    assert task().call(network, image).output.shape == (1, 3, 24, 40)


@pytest.mark.parametrize("existence", [False, True])
def test_objective_sees_the_mask_and_existence(existence: bool) -> None:
    logits, mask = torch.randn(2, 3, 12, 20), torch.stack([two_lanes(), two_lanes() * 0]).long()
    said = torch.randn(2, 2) if existence else None
    loss, inputs = task(objective={"iou_weight": 0.0}).objective(background_weight=0.7)
    lesson = Lesson(None, mask, Activations(logits, {"existence": said} if existence else {}))
    expected = LanesLoss(2, background_weight=0.7, iou_weight=0.0)(logits, mask, said)
    assert torch.equal(loss(*inputs(lesson)), expected)


@pytest.mark.parametrize("size", [None, (24, 40)])
def test_points_are_those_of_the_original_image(size: tuple[int, int] | None) -> None:
    image = torch.zeros(2, 3, *((24, 40) if size is None else (48, 120)))
    points = task(size=size).predict(Answering(two_lanes(), torch.tensor([[2.0, 2.0]])), image)
    height, width = image.shape[-2:]
    assert points.shape == (2, 2, 3, 2)
    assert points.dtype == torch.float32
    x = (torch.tensor([10.0, 30.0]) + 0.5) * width / 40 - 0.5
    assert torch.allclose(points[..., 0], x[:, None].expand(2, 2, 3))
    assert torch.allclose(points[..., 1], torch.tensor(ROWS) * height)


def test_existence_decides_and_so_do_settings() -> None:
    image = torch.zeros(1, 3, 24, 40)
    points = task().predict(Answering(two_lanes(), torch.tensor([[-2.0, 2.0]])), image)
    assert points[0, 0, :, 0].isnan().all()
    assert points[0, 1, :, 0].isfinite().all()
    unsure = task(decoding={"threshold": 1.1}).predict(Answering(two_lanes()), image)
    assert unsure[..., 0].isnan().all()


def test_what_is_cut_off_above_is_not_seen() -> None:
    network = Answering(two_lanes((20, 40)))
    image = torch.zeros(1, 3, 40, 80)
    image[:, :, :10] = 1
    points = task(size=(20, 40), top=0.25, rows=(0.1, 0.3, 0.9)).predict(network, image)
    assert network.seen[0].shape == (1, 3, 20, 40)
    assert float(network.seen[0].max()) < 0.01
    assert points[0, 0, :, 0].isfinite().tolist() == [False, True, True]
    assert points[0, 0, :, 1].tolist() == [4, 12, 36]
    ids = task(size=(20, 40), top=0.25, metric="bdd100k").predict(network, image)
    assert ids.shape == (1, 40, 80)
    assert (ids[0, :10] == 0).all()
    assert (ids[0, 20] == 1).any()


def test_masks_are_predicted_for_bdd100k() -> None:
    with_masks = LanesTask(["background", "lane"], metric="bdd100k", size=(24, 40))
    mask = (two_lanes() > 0).long()
    ids = with_masks.predict(Answering(mask, classes=2), torch.zeros(3, 3, 24, 40))
    assert (ids.shape, ids.dtype) == ((3, 24, 40), torch.uint8)
    assert torch.equal(ids[1].long(), mask)


def test_pictures_show_lanes_in_their_colours_the_target_first() -> None:
    image = torch.full((3, 24, 40), 0.5)
    points = torch.tensor([[[10.0, 0], [10, 23]], [[float("nan"), 0], [float("nan"), 23]]])
    picture = task().draw(image, points)
    assert (picture.shape, picture.dtype) == ((3, 24, 40), torch.uint8)
    assert picture[:, 12, 10].tolist() == [255, 0, 0]
    assert picture[:, 12, 30].tolist() == [128, 128, 128]
    both = task().draw(image, points, two_lanes())
    assert both.shape == (3, 24, 80)
    assert both[:, 12, 30].tolist() == [0, 255, 0]
    assert torch.equal(both[:, :, 40:], picture)
    ignored = task().draw(image, torch.full((24, 40), 255))
    assert (ignored == 128).all()
    with pytest.raises(UsageError, match="expected colours to draw with, got none"):
        task(colours=None).draw(image, points)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        ({"metric": "cullane"}, "unknown metric 'cullane': did you mean culane"),
        ({"rows": ()}, r"expected rows from 0 to below 1, two or more, got : take the data's \.rows"),
        ({"rows": (0.2, 160)}, "expected rows from 0 to below 1, two or more, got 0.2, 160"),
        ({"top": 1}, "expected the share cut off at the top from 0 to below 1, got 1"),
    ],
)
def test_settings_that_make_no_task_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        task(**settings)
    with pytest.raises(UsageError, match="expected background and at least one lane"):
        LanesTask(["background"], rows=ROWS)


def test_a_small_network_learns_a_drawn_scene() -> None:
    drawn = DrawnLanes(2)
    whole = LanesTask(drawn.classes, rows=drawn.rows, metric=drawn.metric, frame=drawn.frame, size=drawn.frame)
    views = Views(drawn, lanes_transform(drawn.frame, scale=(1, 1), rotation=0))
    image, mask = (torch.stack(each) for each in zip(*(views[index, 0][:2] for index in range(2)), strict=True))
    network = Memory(2, 5, *drawn.frame)
    loss, inputs = whole.objective()
    optimizer = torch.optim.Adam(network.parameters(), lr=0.5)
    for _ in range(40):
        optimizer.zero_grad()
        loss(*inputs(Lesson(image, mask, whole.call(network, image)))).backward()
        optimizer.step()
    scores = whole.metrics()
    scores.update(whole.predict(network, image), torch.stack([drawn[index][1] for index in range(2)]))
    found = scores.compute()
    assert found["accuracy"] > 0.85
    assert found["fn"] < 0.3


class Memory(nn.Module):
    """Learns the logits of the images of one batch by heart."""

    def __init__(self, *shape: int) -> None:
        super().__init__()
        self.logits = nn.Parameter(torch.zeros(shape))

    def forward(self, image: Tensor) -> Tensor:
        return self.logits
