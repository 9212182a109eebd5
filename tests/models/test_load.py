from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import torch
from torch import nn

from pupil.errors import UsageError
from pupil.lesson import Kind
from pupil.models import CIFAR, IMAGENET, PLAIN, Preprocessing, count_parameters, load_model, model_names
from pupil.models.preprocessing import attach
from pupil.run import Run

OWN_NETS = """
from torch import nn
from pupil.models import Preprocessing, attach


def build(num_classes: int, width: int = 8, bias: bool = True) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 1, bias=bias), nn.Conv2d(width, num_classes, 1))


def caffe(classes):
    return attach(nn.Conv2d(3, classes, 1), Preprocessing(scale=255, order="BGR"))


def fixed():
    return nn.Conv2d(3, 2, 1)


def no_model(classes):
    return classes


def broken(classes):
    return nn.Conv2d(0.5, classes, 1)


def mobile(num_classes, background=0):
    from torchvision.models.detection import ssdlite320_mobilenet_v3_large as ssdlite

    return ssdlite(weights=None, weights_backbone=None, num_classes=num_classes + background)
"""


@pytest.fixture
def own_nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """The name of a module in the current directory."""
    (tmp_path / "own_nets_of_a_reader.py").write_text(OWN_NETS)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.delitem(sys.modules, "own_nets_of_a_reader", raising=False)
    return "own_nets_of_a_reader"


def test_own_nets_by_name_with_options() -> None:
    plain, wide = load_model("pupil:tiny", 5), load_model("pupil:tiny?width=24&aux=true", 5)
    assert count_parameters(wide) > 3 * count_parameters(plain)
    assert set(wide(torch.rand(2, 3, 32, 32))) == {"out", "aux"}
    assert plain.preprocessing == IMAGENET


def test_seed_fixes_the_weights_and_leaves_the_generator() -> None:
    torch.manual_seed(3)
    before = torch.get_rng_state()
    first, second, other = (load_model("pupil:tiny", 5, seed=seed).stem[0].weight for seed in (1, 1, 2))
    assert torch.equal(torch.get_rng_state(), before)
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    load_model("pupil:tiny", 5)
    assert not torch.equal(torch.get_rng_state(), before)


def test_count_parameters_counts_frozen_ones_and_no_buffers() -> None:
    model = nn.Sequential(nn.Conv2d(3, 2, 1), nn.BatchNorm2d(2)).requires_grad_(False)
    assert count_parameters(model) == 3 * 2 + 2 + 2 + 2


@pytest.mark.parametrize(
    "spec",
    [
        "torchvision:lraspp_mobilenet_v3_large?weights=False",
        "torchvision:deeplabv3_mobilenet_v3_large?aux_loss=true&weights=none",
        "torchvision:fcn_resnet50",
    ],
)
def test_torchvision_networks_run(spec: str) -> None:
    model = load_model(spec, 7, seed=0).eval()
    with torch.no_grad():
        output = model(torch.rand(1, 3, 48, 64))
    assert output["out"].shape == (1, 7, 48, 64)
    assert ("aux" in output) == ("aux_loss" in spec)
    assert model.preprocessing == IMAGENET


def test_names_list_both_families() -> None:
    names = model_names()
    assert names["pupil"][:4] == ["tiny", "small", "base", "large"]
    assert "deeplabv3_resnet50" in names["torchvision"]
    assert "resnet50" not in names["torchvision"]
    assert list(model_names(kind="boxes")) == ["pupil", "torchvision", "timm"]
    assert model_names(kind="boxes")["pupil"] == ["tiny-retinanet", "tiny-fcos", "tiny-fasterrcnn"]
    whole = model_names(kind="whole")
    assert list(whole) == ["pupil", "torchvision", "timm", "transformers"]
    assert "resnet50" in whole["torchvision"]
    assert "deeplabv3_resnet50" not in whole["torchvision"]


def test_own_code_is_called_with_its_word_for_classes(own_nets: str) -> None:
    model = load_model(f"{own_nets}:build?width=4&bias=false", 6)
    assert model(torch.rand(1, 3, 2, 2)).shape == (1, 6, 2, 2)
    assert model[0].weight.shape[0] == 4
    assert model[0].bias is None
    assert model.preprocessing is PLAIN
    assert load_model(f"{own_nets}:caffe", 6).preprocessing == Preprocessing(scale=255, order="BGR")


@pytest.mark.parametrize("module", ["mytimm", "transformer", "package_of_nets.timmy", "a.timm"])
def test_own_code_may_be_called_like_a_library(module: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / f"{module.replace('.', '/')}.py"
    file.parent.mkdir(exist_ok=True)
    file.write_text(OWN_NETS)
    monkeypatch.chdir(tmp_path)
    # Where a command is installed, the current directory is not on the path.
    monkeypatch.setattr(sys, "path", [each for each in sys.path if each])
    monkeypatch.setattr(sys, "modules", {**sys.modules})
    assert load_model(f"{module}:build", 6)[1].weight.shape[0] == 6


def test_own_code_that_is_no_model_is_refused(own_nets: str) -> None:
    with pytest.raises(UsageError, match=r":fixed to take classes or num_classes, got \(\): add the argument"):
        load_model(f"{own_nets}:fixed", 2)
    with pytest.raises(UsageError, match=r":no_model to return a torch.nn.Module, got int"):
        load_model(f"{own_nets}:no_model", 2)
    with pytest.raises(UsageError, match=r"unknown option of .*:build 'widht': did you mean width"):
        load_model(f"{own_nets}:build?widht=4", 2)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pupil:tinny", "unknown model of the family 'pupil' 'tinny': did you mean tiny"),
        ("pupil:tiny?widht=3", "unknown option of pupil:tiny 'widht': did you mean width"),
        ("pupil:tiny?width=wide", "expected a whole number or none for 'width', got 'wide'"),
        (
            "torchvision:deeplabv3_resnet55",
            "unknown segmentation model of torchvision .* did you mean deeplabv3_resnet50",
        ),
        (
            "torchvision:fcn_resnet50?weights=WHICH",
            "unknown weights of torchvision:fcn_resnet50 'WHICH': expected one of ",
        ),
        ("torchvison:fcn_resnet50", "unknown model family 'torchvison': did you mean torchvision"),
        ("no_such_module_of_mine:build", "no_such_module_of_mine"),
        ("absent.timm:build", "cannot import 'absent.timm': there is no module 'absent'"),
        ("runs/absent", "expected a run folder or .*, got 'runs/absent': there is no such run folder"),
        (
            "nets/det_b.py:tv",
            "expected the name of a module, not of its file, got 'nets/det_b.py:tv': write nets.det_b:tv",
        ),
    ],
)
def test_mistakes_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(spec, 5)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "kind", "message"),
    [
        (
            "pupil:tiny",
            "whole",
            "one prediction an image, got 'pupil:tiny' with .* at every position: use pupil:resnet8, ",
        ),
        ("pupil:resnet20", "dense", "a prediction at every position, got 'pupil:resnet20' .*: use .*lane-resnet18"),
        ("torchvision:deeplabv3_resnet50", "whole", "with one prediction an image, got .*: use .*torchvision:resnet50"),
        ("torchvision:resnet50", "dense", "with a prediction at every position, got .*: use torchvision:fcn_resnet50"),
        ("smp:unet/resnet18", "whole", "got 'smp:unet/resnet18' with .*: use pupil:NAME, torchvision:NAME, timm:NAME"),
        ("transformers:upernet", "whole", "one prediction an image, got 'transformers:upernet' with "),
        ("transformers:convnext", "dense", "a prediction at every position, got 'transformers:convnext' with one"),
        (
            "pupil:tiny-fcos",
            "dense",
            "a prediction at every position, got 'pupil:tiny-fcos' with boxes of .*: use pupil:",
        ),
        (
            "pupil:tiny-fcos",
            "whole",
            "one prediction an image, got 'pupil:tiny-fcos' with boxes of objects: use pupil:",
        ),
        (
            "pupil:tiny",
            "boxes",
            "got 'pupil:tiny' with .*: use pupil:tiny-fcos, pupil:tiny-retinanet, pupil:tiny-fasterrcnn$",
        ),
        ("torchvision:resnet50", "boxes", "boxes .* with one prediction an image: use torchvision:.*resnet50_fpn"),
        (
            "torchvision:fcos_resnet50_fpn",
            "dense",
            "every position, got .* with boxes .*: use torchvision:fcn_resnet50",
        ),
        ("smp:unet/resnet18", "boxes", "boxes .*, got .* with a prediction at every position: use pupil:NAME, torchv"),
        ("transformers:vit", "boxes", "got .* with a prediction at every position or one prediction an image: use pup"),
    ],
)
def test_a_network_of_the_other_kind_is_refused(spec: str, kind: Kind, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(spec, 5, kind=kind)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("pupil:resnt20", "unknown model of the family 'pupil' 'resnt20': did you mean resnet20"),
        ("torchvision:resnet19", "unknown classification model of torchvision 'resnet19': did you mean resnet1"),
        ("timm:resnet19", "unknown model of timm 'resnet19': did you mean resnet18, "),
        ("transformers:vitt", "unknown architecture of transformers for image classification 'vitt': did you mean vit"),
    ],
)
def test_mistyped_classifiers_get_the_names_of_classifiers(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message):
        load_model(spec, 5, kind="whole")


def test_what_own_code_raises_is_one_line_with_its_place(own_nets: str) -> None:
    with pytest.raises(UsageError) as caught:
        load_model(f"{own_nets}:broken", 2)
    line = next(number for number, text in enumerate(OWN_NETS.splitlines(), start=1) if "Conv2d(0.5" in text)
    said = re.fullmatch(
        rf"cannot run {own_nets}:broken: it raised ValueError: in_channels must .* \((.*{own_nets}\.py), line {line}\)",
        str(caught.value),
    )
    assert said, caught.value
    assert caught.value.__suppress_context__


def test_a_detector_of_ones_own_has_a_channel_for_the_background(own_nets: str) -> None:
    message = (
        r"3 classes and the background \(4 channels\) from .*:mobile, got 3: build it with num_classes=num_classes \+ 1"
    )
    with pytest.raises(UsageError, match=message):
        load_model(f"{own_nets}:mobile", 3, kind="boxes")
    assert isinstance(load_model(f"{own_nets}:mobile?background=1", 3, kind="boxes"), nn.Module)


def test_own_code_may_be_of_any_kind(own_nets: str) -> None:
    whole, boxes = (load_model(f"{own_nets}:build?width=4", 6, kind=kind) for kind in ("whole", "boxes"))
    assert whole[0].weight.shape == boxes[0].weight.shape == (4, 3, 1, 1)
    # A detector normalises in its own transform.
    assert (whole.preprocessing, hasattr(boxes, "preprocessing")) == (PLAIN, False)


def test_refuses_no_classes() -> None:
    with pytest.raises(UsageError, match="expected at least one class, got 0"):
        load_model("pupil:tiny", 0)


def a_run(
    folder: Path, spec: str, model: nn.Module, classes: int, preprocessing: Preprocessing, task: str = "segmentation"
) -> None:
    record = {
        "task": task,
        "model": {"spec": spec, "preprocessing": preprocessing.to_json()},
        "classes": [f"class {index}" for index in range(classes)],
    }
    Run.create(folder, record).save_weights(model.state_dict())


def test_a_run_gives_back_its_student_and_draws_no_random_number(tmp_path: Path) -> None:
    student = attach(load_model("pupil:tiny?width=8", 5, seed=1), Preprocessing(divisor=8))
    a_run(tmp_path / "run", "pupil:tiny?width=8", student, 5, student.preprocessing)
    before = torch.get_rng_state()
    loaded = load_model(str(tmp_path / "run"), 5)
    assert torch.equal(torch.get_rng_state(), before)
    assert loaded.preprocessing == Preprocessing(divisor=8)
    for name, value in loaded.state_dict().items():
        assert torch.equal(value, student.state_dict()[name]), name


def test_a_run_of_classification_gives_back_its_student_as_one(tmp_path: Path, own_nets: str) -> None:
    student = load_model("pupil:resnet8", 5, kind="whole", seed=1)
    a_run(tmp_path / "run", "pupil:resnet8", student, 5, CIFAR, "classification")
    loaded = load_model(str(tmp_path / "run"), None, kind="whole")
    assert loaded.preprocessing == CIFAR
    assert loaded.classes == tuple(f"class {index}" for index in range(5))
    assert all(torch.equal(value, student.state_dict()[name]) for name, value in loaded.state_dict().items())
    refused = "prediction at every position, got the run .*run' of classification with one prediction an image: name "
    with pytest.raises(UsageError, match=refused):
        load_model(str(tmp_path / "run"), 5)
    a_run(tmp_path / "dense", "pupil:tiny", load_model("pupil:tiny", 5), 5, IMAGENET)
    with pytest.raises(UsageError, match=r"one prediction an image, got the run .* of segmentation with .*of cl"):
        load_model(str(tmp_path / "dense"), 5, kind="whole")


def test_a_run_of_detection_gives_back_its_detector(tmp_path: Path) -> None:
    student = load_model("pupil:tiny-fcos?width=32", 3, kind="boxes", seed=1)
    record = {
        "task": "detection",
        "model": {"spec": "pupil:tiny-fcos?width=32", "preprocessing": None},
        "classes": ["car", "person", "tree"],
    }
    Run.create(tmp_path / "run", record).save_weights(student.state_dict())
    loaded = load_model(str(tmp_path / "run"), 3, kind="boxes")
    assert (loaded.classes, hasattr(loaded, "preprocessing")) == (("car", "person", "tree"), False)
    assert all(torch.equal(value, student.state_dict()[name]) for name, value in loaded.state_dict().items())
    refused = (
        "prediction at every position, got the run .* of detection with boxes of objects: name a run of segm.* lanes"
    )
    with pytest.raises(UsageError, match=refused):
        load_model(str(tmp_path / "run"), 3)
    a_run(tmp_path / "whole", "pupil:resnet8", load_model("pupil:resnet8", 3, kind="whole"), 3, CIFAR, "classification")
    with pytest.raises(
        UsageError, match=r"boxes of objects, got the run .* with one prediction .*: name a run of detec"
    ):
        load_model(str(tmp_path / "whole"), 3, kind="boxes")


def test_a_run_that_does_not_fit_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"without run\.json"):
        load_model(str(tmp_path), 5)
    student = load_model("pupil:tiny?width=8", 5)
    a_run(tmp_path / "run", "pupil:tiny?width=8", student, 5, IMAGENET)
    with pytest.raises(UsageError, match="expected 4 classes, got 5 in the run"):
        load_model(str(tmp_path / "run"), 4)
    a_run(tmp_path / "other", "pupil:tiny?width=12", student, 5, IMAGENET)
    with pytest.raises(UsageError, match=r"expected the weights in .* to fit 'pupil:tiny\?width=12'") as caught:
        load_model(str(tmp_path / "other"), 5)
    assert "\n" not in str(caught.value)


def test_code_that_only_a_run_names_is_imported_when_it_is_repeated(tmp_path: Path, own_nets: str) -> None:
    spec = f"{own_nets}:build"
    a_run(tmp_path / "run", spec, load_model(spec, 5), 5, PLAIN)
    sys.modules.pop(own_nets)
    with pytest.raises(UsageError, match=f"names code, '{spec}', not run unasked"):
        load_model(str(tmp_path / "run"), 5)
    assert own_nets not in sys.modules
    assert isinstance(load_model(str(tmp_path / "run"), 5, trust=spec), nn.Sequential)
