"""The contract of every method: it wires and sizes a distiller for any student and teacher, and its terms train.

The files of the methods themselves hold wiring alone, so this test visits each of them by name and stands for all.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from torch import Tensor, nn

import pupil.methods
from pupil.engine.balance import balance
from pupil.errors import UsageError
from pupil.methods import ALIASES, ALONE, DETECTION, NAMES, WHOLE, load_method, method_name
from pupil.methods.plan import Plan
from pupil.methods.settings import method_options, parse_settings
from pupil.models import load_model
from pupil.tasks.detection.task import DetectionTask
from pupil.tasks.segmentation import SegmentationTask

CLASSES = 5
TASK = SegmentationTask([str(each) for each in range(CLASSES)])
# Those for maps; the others have classifiers or detectors in their own tests.
DENSE = [name for name in NAMES if name not in (*WHOLE, *DETECTION)]
TAUGHT = [name for name in DENSE if name not in ALONE]
OF_IMAGES = ("similarity", "cckd", "rkd", "pkt")  # they relate images, whatever a layer shows of one
WITH_LAYER = [name for name in TAUGHT if "layer" in method_options(load_method(name))]


def batch(size: tuple[int, int] = (32, 48)) -> tuple[Tensor, Tensor]:
    random = torch.Generator().manual_seed(0)
    # Two images have no angle and no nearest neighbour.
    return torch.rand(4, 3, *size, generator=random), torch.randint(0, CLASSES, (4, *size), generator=random)


def plain_net(channels: int = 6, stride: int = 2) -> nn.Module:
    """A network such as anybody writes: no family, no preprocessing, an in-place activation, upsampling."""
    return nn.Sequential(
        nn.Conv2d(3, channels, 3, stride, padding=1),
        nn.BatchNorm2d(channels),
        nn.ReLU(inplace=True),
        nn.Conv2d(channels, CLASSES, 1),
        nn.Upsample(scale_factor=stride, mode="bilinear"),
    )


def planned(name: str, student: nn.Module, teacher: nn.Module | None, **options: object) -> Plan:
    torch.manual_seed(0)
    image, _ = batch()
    if name == "sad":
        # It begins late, and a net of one resolution does not show its blocks.
        options = {"start": 0.0, **({"layers": "0,2"} if isinstance(student, nn.Sequential) else {}), **options}
    return load_method(name)(student, teacher, TASK, image[:1], **options)


def fixed(name: str) -> dict[str, float]:
    """Options that fix the weight of every term."""
    second = {"aicsd": "pixel_weight", "cckd": "kd_weight"}
    return {"weight": 2.0, second.get(name, "weight"): 2.0}


def check_one_step(name: str, student: nn.Module, teacher: nn.Module) -> None:
    frozen = {key: value.clone() for key, value in teacher.state_dict().items()}
    distiller = planned(name, student, teacher).distiller.train()
    image, target = batch()
    with torch.random.fork_rng():
        # By then every term acts, the late ones too.
        balance(distiller, [(image, target, None)], progress=0.9)
    terms = distiller(image, target, progress=0.9)
    assert "task" in terms
    assert len(terms) > 1 or name not in TAUGHT
    assert all(value.dim() == 0 and value.isfinite() and value > 0 for value in terms.values()), terms
    for term, value in terms.items():
        gradients = torch.autograd.grad(value, list(student.parameters()), retain_graph=True, allow_unused=True)
        assert any(each is not None and each.abs().sum() > 0 for each in gradients), (
            f"{term} does not reach the student"
        )
    sum(terms.values()).backward()
    trained = {id(each) for each in distiller.parameters()}
    helpers = distiller.teacher.parameters() if isinstance(distiller.teacher, nn.Module) else ()
    assert {id(each) for each in [*student.parameters(), *helpers, *distiller.losses.parameters()]} == trained
    assert all(each.grad is not None and each.grad.isfinite().all() for each in distiller.parameters())
    assert all(each.grad is None for each in teacher.parameters())
    assert all(torch.equal(value, frozen[key]) for key, value in teacher.state_dict().items())


@pytest.mark.parametrize("name", DENSE)
def test_our_own_nets(name: str) -> None:
    check_one_step(name, load_model("pupil:tiny", CLASSES, seed=0), load_model("pupil:base?width=16", CLASSES, seed=1))


@pytest.mark.parametrize("name", DENSE)
def test_a_net_of_the_readers_own_at_other_strides(name: str) -> None:
    torch.manual_seed(0)
    check_one_step(name, plain_net(stride=2), plain_net(channels=9, stride=4))


@pytest.mark.slow
@pytest.mark.parametrize("name", DENSE)
def test_a_net_of_torchvision(name: str) -> None:
    student = load_model("torchvision:lraspp_mobilenet_v3_large", CLASSES, seed=0)
    check_one_step(name, student, load_model("pupil:tiny", CLASSES, seed=1))


def test_every_file_of_a_method_is_visited_by_its_name() -> None:
    files = {path.stem for path in Path(pupil.methods.__file__).parent.glob("*.py")}
    assert files - {"__init__", "layers", "maps", "plan", "pyramids", "settings"} == {
        name.replace("-", "_") for name in NAMES
    }


@pytest.mark.parametrize("name", TAUGHT)
def test_a_missing_teacher_is_refused(name: str) -> None:
    with pytest.raises(UsageError, match=r"expected a teacher for this method, got none: pass --teacher RUN"):
        planned(name, plain_net(), None)


@pytest.mark.parametrize("name", [name for name in NAMES if name not in ("none", *DETECTION)])
def test_detectors_are_refused_before_anything_else_is_asked(name: str) -> None:
    with pytest.raises(UsageError, match=f"for method {name!r}, got detection with boxes of objects: choose another"):
        load_method(name)(nn.Identity(), None, DetectionTask(["car"]), [])


@pytest.mark.parametrize("name", [name for name in DENSE if name in ALONE])
def test_who_learns_alone_leaves_the_teacher_alone(name: str) -> None:
    teacher = plain_net()
    asked = planned(name, plain_net(), teacher).distiller.teacher
    assert asked is None or getattr(asked, "model", None) is not teacher
    assert planned(name, plain_net(), None).distiller is not None


@pytest.mark.parametrize("name", DENSE)
def test_equal_seeds_give_equal_students_whatever_the_method(name: str) -> None:
    student = plain_net()
    before = {key: value.clone() for key, value in student.state_dict().items()}
    planned(name, student, plain_net(channels=9))
    assert all(torch.equal(value, before[key]) for key, value in student.state_dict().items())
    assert student.training


@pytest.mark.parametrize("name", TAUGHT)
def test_a_weight_fixes_what_a_share_would_measure(name: str) -> None:
    student, teacher = plain_net(), plain_net(channels=9)
    distiller = planned(name, student, teacher, **fixed(name)).distiller.train()
    image, target = batch()
    lesson = distiller.lesson(image, target, progress=0.5)
    scheduled = 0.5 if name == "aicsd" else 1.0
    for term, value in distiller(image, target, progress=0.5).items():
        if term != "task":
            torch.testing.assert_close(value, scheduled * 2.0 * distiller.terms[term].unweighted(lesson))


@pytest.mark.parametrize("name", WITH_LAYER)
def test_a_mistyped_layer_lists_the_close_names(name: str) -> None:
    teacher = load_model("pupil:tiny", CLASSES, seed=1)
    with pytest.raises(UsageError, match=r"unknown layer 'stag1': did you mean stage1"):
        planned(name, load_model("pupil:tiny", CLASSES, seed=0), teacher, layer="stag1")


@pytest.mark.parametrize("name", WITH_LAYER)
def test_a_named_layer_is_tapped_in_both_networks(name: str) -> None:
    student, teacher = (load_model("pupil:tiny", CLASSES, seed=seed) for seed in (0, 1))
    distiller = planned(name, student, teacher, layer="stage2", **fixed(name)).distiller
    shown = distiller.lesson(*batch())
    assert set(shown.student.features) == set(shown.teacher.features) == {"stage2"}
    other = planned(name, plain_net(), teacher, layer="2", teacher_layer="decoder:in", **fixed(name)).distiller
    assert other(*batch())[name].isfinite()


def test_the_hint_bridges_channels_and_its_adapter_is_trained() -> None:
    distiller = planned("hint", plain_net(channels=6), plain_net(channels=9)).distiller
    [projection] = distiller.losses["hint"].parameters()
    assert projection.shape == (9, 6, 1, 1)


def test_pairwise_takes_a_pixel_wise_term_beside_it_on_request() -> None:
    assert set(planned("pairwise", plain_net(), plain_net()).distiller.losses) == {"task", "pairwise"}
    settings = {"pool": "max", "patch": 0.5, "norm_gradient": False}
    losses = planned("pairwise", plain_net(), plain_net(), weight=0.5, pixel_weight=80.0, **settings).distiller.losses
    assert {name: term.weight for name, term in losses.items()} == {"task": 1.0, "pairwise": 0.5, "pixel": 80.0}
    loss = losses["pairwise"].loss
    assert {name: getattr(loss, name) for name in settings} == settings
    assert "pixel" in planned("pairwise", plain_net(), plain_net(), pixel_share=1.0).distiller.losses


class Pooled(nn.Module):
    """A network whose pooled vector stands beside its maps."""

    def __init__(self) -> None:
        super().__init__()
        self.pool = nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())
        self.classifier = nn.Conv2d(3, CLASSES, 1)

    def forward(self, image: Tensor) -> Tensor:
        return self.classifier(image * self.pool(image)[:, :, None, None])


@pytest.mark.parametrize("name", [name for name in WITH_LAYER if name not in OF_IMAGES])
def test_layers_that_nothing_bridges_are_refused_with_names_shapes_and_fix(name: str) -> None:
    shapes = r"the student's '2' \(1, 6, 16, 24\) and the teacher's 'pool' \(1, 3\): "
    with pytest.raises(
        UsageError, match=shapes + r"(tap both networks before|choose layers before) (any|their) pooling"
    ):
        planned(name, plain_net(), Pooled(), layer="2", teacher_layer="pool")


@pytest.mark.parametrize("name", NAMES)
def test_options_are_parsed_by_annotation(name: str) -> None:
    method = load_method(name)
    for option, parameter in method_options(method).items():
        text = str(parameter.default).lower() if parameter.default is None else str(parameter.default)
        assert parse_settings(method, [f"{option}={text}"]) == {option: parameter.default}
        assert type(parse_settings(method, [f"{option}={text}"])[option]) is type(parameter.default)
    with pytest.raises(UsageError, match=r"unknown option of method|expected no options for method 'none'"):
        parse_settings(method, ["shrae=1"])


@pytest.mark.parametrize("name", NAMES)
def test_every_method_says_what_it_does_and_where_it_comes_from(name: str) -> None:
    method = load_method(name)
    assert method.__name__ == name.replace("-", "_") == method.__module__.rpartition(".")[2]
    assert method.__doc__
    assert "L = " in method.__doc__
    for option in method_options(method):
        assert f"{option}: " in method.__doc__
    if name != "none":
        assert vars(__import__(method.__module__, fromlist=["PAPER"]))["PAPER"].url.startswith("https://")


@pytest.mark.parametrize(("alias", "name"), ALIASES.items())
def test_short_names_of_the_field(alias: str, name: str) -> None:
    assert method_name(alias) == name
    assert name in NAMES


def test_an_unknown_method_lists_the_close_names() -> None:
    with pytest.raises(UsageError, match=r"unknown method 'icds': did you mean icsd, aicsd"):
        load_method("icds")
