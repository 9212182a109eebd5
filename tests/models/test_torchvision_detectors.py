"""The door to torchvision's detectors: they train, fetch only when asked, and are rebuilt as they were."""

from __future__ import annotations

import pytest
import torch
from torch import nn
from torchvision.ops import FrozenBatchNorm2d

from models.test_detectors import batch, trained_step
from pupil.errors import UsageError
from pupil.models import load_model, model_names
from pupil.models.spec import parse
from pupil.models.torchvision_detectors import torchvision_detector
from pupil.tasks.class_matching import names_of

MOBILE = "fasterrcnn_mobilenet_v3_large_320_fpn"


@pytest.fixture
def offline(monkeypatch: pytest.MonkeyPatch) -> None:
    def unreachable(*arguments: object, **more: object) -> None:
        raise OSError("no route\nto host")

    monkeypatch.setattr("torchvision.models._api.load_state_dict_from_url", unreachable)


def test_names_are_those_that_learn_from_boxes() -> None:
    names = model_names(kind="boxes")["torchvision"]
    assert {MOBILE, "retinanet_resnet50_fpn_v2", "fcos_resnet50_fpn", "ssd300_vgg16"} <= set(names)
    assert not any("mask" in name or "keypoint" in name for name in names)


@pytest.mark.slow
@pytest.mark.parametrize(
    "spec",
    [
        f"{MOBILE}?min_size=96&max_size=128",
        "retinanet_resnet50_fpn?min_size=96&max_size=128",
        "fcos_resnet50_fpn?min_size=96&max_size=128",
        "ssdlite320_mobilenet_v3_large",
    ],
)
def test_detectors_train_and_their_state_goes_round(spec: str, offline: None) -> None:
    model = load_model(f"torchvision:{spec}", 3, seed=0, kind="boxes")
    assert not hasattr(model, "preprocessing")
    assert torch.tensor(trained_step(model)).isfinite().all()
    again = load_model(f"torchvision:{spec}", 3, seed=1, kind="boxes")
    again.load_state_dict(model.state_dict(), strict=True)
    ours, theirs = (each.eval()(batch()[0])[0]["scores"] for each in (model, again))
    assert torch.equal(ours, theirs)


def test_options_reach_the_builder_and_the_detector(offline: None) -> None:
    model = load_model(f"torchvision:{MOBILE}?min_size=160&max_size=320&box_score_thresh=0.25", 3, kind="boxes")
    assert (model.transform.min_size, model.transform.max_size) == ((160,), 320)
    assert model.roi_heads.score_thresh == 0.25
    assert model.roi_heads.box_predictor.cls_score.out_features == 4
    few, all_six = (
        torchvision_detector(
            parse(f"torchvision:{MOBILE}?weights=imagenet&trainable_backbone_layers={count}"), 3, False
        )
        for count in (0, 6)
    )
    frozen = [name for name, each in few.named_parameters() if not each.requires_grad]
    assert frozen
    assert all(name.startswith("backbone.body.") for name in frozen)
    assert all(each.requires_grad for each in all_six.parameters())


def test_weights_are_fetched_only_where_they_are_asked_for(offline: None) -> None:
    load_model(f"torchvision:{MOBILE}?weights=none", 3, kind="boxes")
    for asked in ("weights=imagenet", "weights_backbone=DEFAULT"):
        with pytest.raises(UsageError, match=r"cannot get the weights of torchvision:.*: no route to host$"):
            load_model(f"torchvision:{MOBILE}?{asked}", 3, kind="boxes")
        torchvision_detector(parse(f"torchvision:{MOBILE}?{asked}"), 3, False)
    with pytest.raises(UsageError, match=r"cannot get the weights of torchvision:.*: no route to host$"):
        load_model(f"torchvision:{MOBILE}?weights=DEFAULT", None, kind="boxes")


@pytest.mark.slow
def test_a_run_is_rebuilt_with_what_torchvision_builds_for_weights(offline: None) -> None:
    def rebuilt(spec: str) -> nn.Module:
        return torchvision_detector(parse(f"torchvision:{spec}"), None if "COCO" in spec else 3, False)

    for spec, epsilon in (("?weights=COCO_V1", 0.0), ("?weights=imagenet", 1e-5)):
        model = rebuilt(f"fasterrcnn_resnet50_fpn{spec}")
        norms = [each for each in model.modules() if isinstance(each, FrozenBatchNorm2d | nn.BatchNorm2d)]
        assert {(type(each), each.eps) for each in norms} == {(FrozenBatchNorm2d, epsilon)}
    # Pretrained encoders of SSDLite are twice as wide at the end.
    widths = [
        max(each.in_channels for each in rebuilt(f"ssdlite320_mobilenet_v3_large{spec}").modules()
            if isinstance(each, nn.Conv2d))
        for spec in ("", "?weights=imagenet")
    ]  # fmt: skip
    assert widths[1] > widths[0]
    # Outside the door, weights are loaded as ever.
    with pytest.raises(RuntimeError, match="Missing key"):
        nn.Linear(1, 1).load_state_dict({})


def test_a_whole_network_knows_its_own_classes(offline: None) -> None:
    spec = parse("torchvision:ssdlite320_mobilenet_v3_large?weights=default")
    names = names_of(torchvision_detector(spec, None, False))
    assert names is not None
    assert (len(set(names)), names[:2], names[11]) == (90, ("person", "bicycle"), "unnamed 12")
    with pytest.raises(UsageError, match=r"expected the 90 classes of torchvision:.*, got 3: .*weights=imagenet"):
        torchvision_detector(spec, 3, False)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("retinanet_resnet51_fpn", "unknown detector of torchvision 'retinanet_resnet51_fpn': did you mean retinanet_"),
        ("ssd300_vgg16?weights=COCO_V2", "unknown weights of torchvision:ssd300_vgg16 'COCO_V2': did you mean COCO_V1"),
        (f"{MOBILE}?minsize=96", "unknown option of torchvision:.* 'minsize': did you mean min_size"),
        ("ssdlite320_mobilenet_v3_large?min_size=96", "unknown option of torchvision:ssdlite.* 'min_size'"),
        (f"{MOBILE}?min_size=96&trainable_backbone_layers=9&weights_backbone=DEFAULT", "torchvision:.*range \\[0,6\\]"),
        (f"{MOBILE}?num_classes=9", "unknown option of .* 'num_classes'"),
    ],
)
def test_mistakes_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(f"torchvision:{spec}", 3, kind="boxes")
    assert "\n" not in str(caught.value)


def test_detectors_without_classes_are_no_trained_networks() -> None:
    with pytest.raises(UsageError, match="expected a trained network, got 'torchvision:fcos_resnet50_fpn'"):
        load_model("torchvision:fcos_resnet50_fpn", None, kind="boxes")
