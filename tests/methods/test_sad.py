"""SAD chains the blocks that a network names or shows, teaches each by the next, and begins late."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from torch import Tensor, nn

from pupil.engine.balance import balance
from pupil.errors import UsageError
from pupil.losses import sad_loss
from pupil.methods.plan import Plan
from pupil.methods.sad import sad
from pupil.models import load_model
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.lanes import LanesTask
from pupil.tasks.segmentation import SegmentationTask

CLASSES = ["background", "1", "2", "3", "4"]
LANES = LanesTask(CLASSES, rows=[0.5, 0.75])
DENSE = SegmentationTask(CLASSES)
WHOLE = ClassificationTask(CLASSES)
SIZE = (32, 48)


def layer(channels: int, out: int) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(channels, out, 3, stride=2, padding=1), nn.BatchNorm2d(out), nn.ReLU(inplace=True))


class Classifier(nn.Module):
    """A network as anybody writes it; `blocks` are modules here, and no names."""

    def __init__(self) -> None:
        super().__init__()
        self.stem = layer(3, 4)
        self.blocks = nn.ModuleList([layer(4, 5), layer(5, 6), layer(6, 7)])
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.head = nn.Linear(7, len(CLASSES))

    def forward(self, image: Tensor) -> Tensor:
        x = self.stem(image)
        for block in self.blocks:
            x = block(x)
        answer: Tensor = self.head(self.pool(x))
        return answer


class Tokens(nn.Module):
    """Two blocks that show tokens, as transformers do."""

    def __init__(self) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 8, 8, stride=8)
        self.first, self.second, self.head = nn.Linear(8, 8), nn.Linear(8, 8), nn.Linear(8, len(CLASSES))

    def forward(self, image: Tensor) -> Tensor:
        tokens = self.patches(image).flatten(2).mT
        answer: Tensor = self.head(self.second(self.first(tokens)).mean(1))
        return answer


def batch(dense: bool) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    shape = (4, *SIZE) if dense else (4,)
    return torch.rand(4, 3, *SIZE, generator=random), torch.randint(0, len(CLASSES), shape, generator=random)


def planned(student: nn.Module, task: object, **options: object) -> Plan:
    return sad(student, None, task, torch.zeros(1, 3, *SIZE), **{"temperature": 1.0, **options})


def lane_net() -> nn.Module:
    return load_model("pupil:lane-tiny?size=32x48", len(CLASSES), seed=0)


@pytest.mark.parametrize(
    ("build", "task", "layers", "terms"),
    [
        (lane_net, LANES, ("block2", "block3", "block4"), ["sad_block2", "sad_block3"]),
        (
            lambda: load_model("pupil:tiny", len(CLASSES), seed=0),
            DENSE,
            ("stage1", "stage2", "context"),
            ["sad_stage1", "sad_stage2"],
        ),
        (Classifier, WHOLE, ("blocks.0", "blocks.1", "blocks.2"), ["sad_blocks_0", "sad_blocks_1"]),
    ],
)
def test_the_last_three_blocks_are_a_chain(build, task, layers, terms):
    torch.manual_seed(0)
    student = build()
    distiller = planned(student, task).distiller.train()
    assert distiller.teacher is None
    assert distiller.student.layers == layers
    assert list(distiller.losses) == ["task", *terms]
    image, target = batch(task.kind == "dense")
    lesson = distiller.lesson(image, target, progress=0.9)
    ratios = balance(distiller, [(image, target, None)], progress=0.9)
    shown = distiller(image, target, progress=0.9)
    for name, ours, theirs in zip(terms, layers, layers[1:], strict=False):
        loss = sad_loss(lesson.student.features[ours], lesson.student.features[theirs])
        torch.testing.assert_close(distiller.terms[name].unweighted(lesson), loss)
        torch.testing.assert_close(shown[name], distiller.terms[name].weight.share * ratios[name] * loss)


def test_the_next_block_is_a_constant_target():
    student = lane_net()
    distiller = planned(student, LANES, weight=0.1, start=0.0).distiller.train()
    terms = distiller(*batch(dense=True))
    trained = dict(student.named_parameters())
    gradients = torch.autograd.grad(terms["sad_block2"], list(trained.values()), allow_unused=True)
    reached = {name.split(".")[0] for name, gradient in zip(trained, gradients, strict=True) if gradient is not None}
    assert reached == {"stem", "block1", "block2"}


def test_named_layers_are_taken_in_their_order():
    options = {"layers": "block1, block2 ,block4", "weight": 1.0}
    distiller = planned(lane_net(), LANES, **options).distiller
    assert distiller.student.layers == ("block1", "block2", "block4")
    assert list(distiller.losses) == ["task", "sad_block1", "sad_block2"]


def test_tokens_are_laid_out_as_maps():
    distiller = planned(Tokens(), WHOLE, layers="first,second", start=0.0, weight=1.0).distiller
    lesson = distiller.lesson(*batch(dense=False))
    first, second = (lesson.student.features[name].mT.unflatten(2, (4, 6)) for name in ("first", "second"))
    torch.testing.assert_close(distiller.terms["sad_first"].unweighted(lesson), sad_loss(first, second))


def test_the_terms_begin_late_and_may_grow():
    student, data = lane_net(), batch(dense=True)

    def factor(progress: float, **options: float) -> float:
        term = planned(copy.deepcopy(student), LANES, weight=1.0, **options).distiller.terms["sad_block2"]
        lesson = planned(copy.deepcopy(student), LANES).distiller.lesson(*data, progress=progress)
        return float((term(lesson) / term.unweighted(lesson)).detach())

    assert [factor(progress) for progress in (0.0, 0.66, 0.67, 0.99)] == [0.0, 0.0, 1.0, 1.0]
    ramped = {"start": 0.4, "ramp": 0.2}
    assert [factor(progress, **ramped) for progress in (0.3, 0.4, 0.5, 0.6, 0.9)] == pytest.approx([0, 0, 0.5, 1, 1])


def test_a_share_is_measured_where_the_term_begins():
    distiller = planned(lane_net(), LANES, start=0.5).distiller.train()
    data = [(*batch(dense=True), None)]
    assert balance(distiller, data, progress=0.4) == {}
    assert set(balance(distiller, data, progress=0.5)) == {"sad_block2", "sad_block3"}


def test_a_plan_can_be_copied_and_pickled():
    distiller = planned(lane_net(), LANES, ramp=0.1, weight=1.0).distiller.eval()
    data = batch(dense=True)
    expected = distiller(*data, progress=0.9)
    for other in (copy.deepcopy(distiller), pickle.loads(pickle.dumps(distiller))):
        torch.testing.assert_close(other(*data, progress=0.9), expected)


@pytest.mark.parametrize(
    ("student", "options", "message"),
    [
        (
            nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, len(CLASSES), 1)),
            {},
            r"two blocks or more to distill attention between, got 1 in Sequential: name them with --set layers=NAME",
        ),
        (Classifier(), {"layers": "stem,"}, "two blocks or more to distill attention between, got stem in Classifier"),
        (Classifier(), {"layers": "stem,block"}, r"unknown layer 'block': did you mean blocks"),
        (Classifier(), {"layers": "stem,pool"}, r"a map \(N, C, H, W\) at layer 'pool', got \(1, 7\): choose"),
        (Classifier(), {"ramp": 0.5}, r"a ramp from 0 to 0.33, the rest of the run, got 0.5"),
        (Classifier(), {"start": 1.0}, r"start in \[0, 1\), got 1.0"),
    ],
)
def test_refuses_what_is_no_chain(student, options, message):
    task = DENSE if isinstance(student, nn.Sequential) else WHOLE
    with pytest.raises(UsageError, match=message):
        planned(student, task, **options)
