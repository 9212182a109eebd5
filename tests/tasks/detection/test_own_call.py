"""A detector of one's own teaches and learns by its own call; one that torchvision's are in needs none."""

from __future__ import annotations

import copy
import math
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from torch import nn
from torchvision.models.detection import FCOS

from command import Ended, pupil
from methods.detectors import TASK, planned
from pupil.errors import UsageError
from pupil.methods import DETECTION
from pupil.models import load_model
from pupil.run import Run
from pupil.tasks.detection import DetectorCall, DetectorRecord, OwnCall, TaskLosses, detector_call
from pupil.tasks.detection.own_call import attached_call
from tasks.detection import own_detector
from tasks.detection.detectors import batch, detector
from tasks.detection.own_detector import Centres, large, small

MODULE = "tasks.detection.own_detector"


class Trained(FCOS):
    """A subclass with a loss of its own."""

    def forward(self, images, targets=None):
        found = super().forward(images, targets)
        return {**found, "own": found["bbox_ctrness"] * 2} if self.training else found


class Holding(nn.Module):
    """A module that holds a detector."""

    def __init__(self, kind="fcos", seed=0):
        super().__init__()
        self.parts = nn.ModuleDict({"detector": detector(kind, seed)})

    def forward(self, images, targets=None):
        found = self.parts["detector"](images, targets)
        return {**found, "own": found["classification"] * 2} if self.training else found


class Around(Holding):
    def forward(self, images, targets=None):
        return {"own": self.parts["detector"].backbone(torch.stack(images))["p3"].sum()}


def subclass(seed):
    model = detector("fcos", seed)
    model.__class__ = Trained
    return model


@pytest.mark.parametrize("method", DETECTION)
@pytest.mark.parametrize("build", [lambda seed: small(3), subclass, lambda seed: Holding(seed=seed)])
def test_every_method(method, build):
    torch.manual_seed(0)
    student, teacher = build(0), build(1)
    distiller = planned(method, student, teacher, weight=1.0)
    terms = distiller(*batch(empty=False))
    assert len(terms) == 2
    assert all(term.isfinite() and term > 0 for term in terms.values())
    sum(terms.values()).backward()
    assert all(parameter.grad is not None for parameter in student.parameters())


def test_a_student_of_ones_own_and_a_teacher_of_torchvisions_and_the_reverse():
    torch.manual_seed(0)
    own, theirs = small(3), detector("fcos", image_mean=[0.5] * 3, image_std=[0.25] * 3)
    for method in DETECTION:
        if method != "aid-self":
            for student, teacher in ((own, theirs), (theirs, own)):
                assert planned(method, student, teacher, weight=1.0)(*batch())[method].isfinite()


def test_training_is_that_of_the_detector_itself():
    torch.manual_seed(0)
    model = small(3)
    for name, loss in model(*batch()).items():
        assert torch.equal(TASK.call(model, *batch()).output.losses[name], loss)
    model = subclass(0)
    losses = TASK.call(model, *batch()).output.losses
    assert losses["own"] == 2 * losses["bbox_ctrness"]
    assert set(TASK.call(Holding(), *batch()).output.losses) == {*losses}


def test_a_module_is_asked_as_what_it_holds():
    call, inside = detector_call(Holding(), losses=True), Holding().parts["detector"]
    assert isinstance(call, DetectorCall)
    ours, theirs = (ask(model.eval(), *batch()) for ask, model in ((call, Holding()), (detector_call(inside), inside)))
    for name, feature in theirs.features.items():
        assert torch.equal(ours.features[name], feature)
    assert ours.output.task_losses.level_loss.shape == (3, 3)


def test_aid_weighs_by_the_losses_that_a_call_shows():
    distiller = planned("aid", small(3), large(3), weight=1.0, alpha=0.0)
    plain = distiller(*batch())["aid"]
    assert planned("aid", distiller.student.model, distiller.teacher.model, weight=1.0, alpha=0.5) is not None
    losses = distiller.lesson(*batch()).teacher.output.task_losses
    assert isinstance(losses, TaskLosses)
    assert losses.level_loss.shape == (3, 3)
    distiller.terms["aid"].loss.alpha = 0.5
    assert distiller(*batch())["aid"] < plain


def test_a_call_serves_copies_and_may_be_a_method():
    class Method(Centres):
        def call(self, image, target=None):
            return own_detector.call(self, image, target)

    model = small(3).eval()
    twin = copy.deepcopy(model)
    with torch.no_grad():
        twin.stem[0].weight.zero_()
    ours, theirs = (TASK.call(each, batch()[0]).features["p3"] for each in (model, twin))
    assert not torch.equal(ours, theirs)
    method = Method(3).eval()
    method.load_state_dict(model.state_dict())
    assert isinstance(detector_call(method), OwnCall)
    assert torch.equal(TASK.call(method, batch()[0]).features["p3"], ours)
    assert attached_call(detector("fcos")) is None


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda shown: shown.output, "with a DetectorRecord from the call of Centres, got DetectorRecord: call\\("),
        (lambda shown: replace(shown, output=1), "with a DetectorRecord from the call of Centres, got int"),
        (lambda shown: replace(shown, features={}), "in the call of Centres, got none for p3, p4, p5"),
        (lambda shown: replace(shown, output=DetectorRecord(())), "got none for any"),
        (lambda shown: replace(shown, batch=None), "images as Centres sees them, got none from its call"),
        (
            lambda shown: replace(shown, output=replace(shown.output, losses={})),
            r"losses of Centres in training, got none .* DetectorRecord\(losses=...\)",
        ),
    ],
)
def test_what_a_call_leaves_out_is_named(change, message):
    model = Centres(3)
    model.call = lambda *asked: change(own_detector.call(*asked))
    with pytest.raises(UsageError, match=message):
        TASK.call(model, *batch())


def test_a_detector_that_nobody_knows_is_told_what_a_call_returns():
    wanted = r"give it an attribute `call`, call\(model, image, target\) -> Activations\(DetectorRecord\(levels"
    for model in (Centres(3), nn.ModuleList([detector("fcos"), detector("fcos")])):
        with pytest.raises(
            UsageError, match=f"alone or inside of another module, got {type(model).__name__}: {wanted}"
        ):
            TASK.call(model, *batch())
    with pytest.raises(
        UsageError, match=f"Around to run all of its FCOS .*, got nothing from transform, head: {wanted}"
    ):
        TASK.call(Around(), [torch.rand(3, 64, 64)], batch()[1][:1])


class Answering(nn.Module):
    def __init__(self, answer):
        super().__init__()
        self.answer, self.call = answer, own_detector.call

    def forward(self, images):
        return self.answer


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        (torch.zeros(1, 3, 4, 4), "expected a list for 1 images from Answering in evaluation mode, got Tensor: a dict"),
        ([], "expected a list for 1 images .* got 0 of them"),
        ([{"boxes": torch.zeros(0, 4)}], "expected boxes, labels and scores from Answering .* got boxes: a dict"),
        (
            [{"boxes": torch.zeros(2, 4), "labels": torch.tensor([0, 2]), "scores": torch.ones(2)}],
            "expected labels from 1 to 3 from Answering, got 0 to 2: 0 is the background",
        ),
        (
            [{"boxes": torch.zeros(1, 4), "labels": torch.tensor([4]), "scores": torch.ones(1)}],
            "expected labels from 1 to 3 from Answering, got 4 to 4",
        ),
    ],
)
def test_an_answer_in_another_form_is_refused(answer, message):
    with pytest.raises(UsageError, match=message):
        TASK.predict(Answering(answer).eval(), [torch.rand(3, 8, 8)])


def test_refused_for_aid_without_losses():
    silent = small(3)
    silent.call = lambda model, image, target=None: replace(
        shown := own_detector.call(model, image, target), output=replace(shown.output, task_losses=None)
    )
    distiller = planned("aid", small(3), silent, weight=1.0)
    with pytest.raises(UsageError, match="got none: let its call fill `task_losses`"):
        distiller(*batch())


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def train(*words: object) -> Ended:
    small_run = ("--smoke", "--device", "cpu", "--scene-size", "96x128", "--batch-size", 2)
    return pupil("train", "detection", *small_run, *words)


@pytest.mark.slow
def test_by_the_command(workplace: Path) -> None:
    pytest.importorskip("faster_coco_eval")
    ended = train("--student", f"{MODULE}:large", "--out", "teacher")
    assert ended.code == 0, ended.err
    trust = ("--trust", f"{MODULE}:large")
    ended = train("--student", f"{MODULE}:small", "--method", "aid", "--teacher", "teacher", "--out", "untrusted")
    assert (ended.code, f"names code, '{MODULE}:large', not run unasked" in ended.err) == (2, True)
    for method in ("fbkd", "aid"):
        words = ("--student", f"{MODULE}:small?width=8", "--method", method, "--teacher", "teacher", *trust)
        ended = train(*words, "--out", method)
        assert ended.code == 0, ended.err
        terms = [row["terms"] for row in Run(method).metrics if "terms" in row]
        assert all(math.isfinite(each[name]) for each in terms for name in ("task", method))
    trust = ("--trust", f"{MODULE}:small?width=8")
    ended = pupil("evaluate", "aid", *trust)
    assert ended.code == 0, ended.err
    from PIL import Image

    Path("photos").mkdir()
    Image.new("RGB", (100, 80)).save("photos/0.png")
    ended = pupil("predict", "aid", "photos", "--out", "found", *trust)
    assert ended.code == 0, ended.err
    assert Path("found/boxes.json").is_file()
    model = load_model("aid", None, kind="boxes", trust=trust[1])
    assert model.classes == ("car", "person", "sign")
    assert isinstance(detector_call(model), OwnCall)


@pytest.mark.parametrize("method", ["none", "mimic"])
def test_refused_by_the_command_in_one_line(workplace: Path, method: str) -> None:
    words = ("--student", f"{MODULE}:without_call", "--teacher", f"{MODULE}:large", "--method", method)
    ended = train(*words, "--out", "run")
    assert (ended.code, ended.err.count("\n")) == (2, 1), ended.err
    assert "got Centres: give it an attribute `call`" in ended.err
    assert not Path("run").exists()
