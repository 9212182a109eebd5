"""Networks of transformers: by architecture, from a folder, and never from the hub unasked."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest
import torch

from pupil.errors import UsageError
from pupil.models import IMAGENET, Preprocessing, load_model, model_names
from pupil.models.spec import parse
from pupil.models.transformers_models import from_transformers
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.segmentation import SegmentationTask

transformers = pytest.importorskip("transformers")
TASK = SegmentationTask([str(index) for index in range(5)])
TINY = "depths=1,1,1,1&hidden_sizes=8,16,24,32&num_attention_heads=1,2,3,4&decoder_hidden_size=16"
SEGFORMER = f"transformers:segformer?{TINY}"
PLAIN = "hidden_size=32&num_hidden_layers=4&num_attention_heads=2&intermediate_size=64"
HALF = Preprocessing((0.5,) * 3, (0.5,) * 3)
BGR = Preprocessing(order="BGR")


@pytest.mark.parametrize(
    ("spec", "preprocessing"),
    [
        (SEGFORMER, IMAGENET),
        (f"transformers:dpt?{PLAIN}&image_size=64&backbone_out_indices=0,1,2,3&neck_hidden_sizes=8,8,8,8"
         "&fusion_hidden_size=16", Preprocessing(HALF.mean, HALF.std, size=(64, 64))),
        (f"transformers:beit?{PLAIN}&out_indices=1,2,3,4", Preprocessing(HALF.mean, HALF.std, divisor=16)),
        (f"transformers:data2vec-vision?{PLAIN}&out_indices=0,1,2,3&image_size=64",
         Preprocessing(HALF.mean, HALF.std, size=(64, 64))),
        ("transformers:mobilenet_v2?depth_multiplier=0.35", HALF),
        ("transformers:mobilevit?hidden_sizes=16,24,32&neck_hidden_sizes=8,8,8,8,16,16,32&aspp_out_channels=8", BGR),
        ("transformers:mobilevitv2?width_multiplier=0.25&aspp_out_channels=8", BGR),
        ("transformers:upernet?backbone=convnext&backbone.depths=1,1,1,1&backbone.hidden_sizes=8,16,24,32"
         "&hidden_size=16", IMAGENET),
        ("transformers:upernet?backbone.depths=1,1,1,1&backbone.hidden_sizes=8,16,24,32&hidden_size=16", IMAGENET),
        ("transformers:upernet?backbone=convnext&backbone.depths=1,1,1,1&hidden_size=16", IMAGENET),
        ("transformers:upernet?backbone=swin&backbone.depths=1,1,1,1&backbone.embed_dim=24&hidden_size=16", IMAGENET),
    ],
)  # fmt: skip
def test_architectures_come_without_a_network_at_any_size(spec: str, preprocessing: Preprocessing) -> None:
    model = load_model(spec, 5, seed=0)
    assert model.training
    assert model.preprocessing == preprocessing
    assert TASK.predict(model.eval(), torch.rand(1, 3, 50, 71)).shape == (1, 50, 71)


def test_an_auxiliary_head_that_keeps_its_logits_is_left_out_unless_told() -> None:
    spec = "transformers:upernet?backbone.depths=1,1,1,1&backbone.hidden_sizes=8,16,24,32&hidden_size=16"
    assert load_model(spec, 5, seed=0).auxiliary_head is None
    assert load_model(f"{spec}&use_auxiliary_head=true", 5, seed=0).auxiliary_head is not None


@pytest.fixture
def stored(tmp_path: Path) -> Path:
    """A folder as save_pretrained leaves it: a network of three named classes."""
    names = {0: "road", 1: "car", 2: "sky"}
    config = transformers.SegformerConfig(
        depths=[1, 1, 1, 1], hidden_sizes=[8, 16, 24, 32], num_attention_heads=[1, 2, 3, 4], decoder_hidden_size=16,
        id2label=names, label2id={name: index for index, name in names.items()},
    )  # fmt: skip
    torch.manual_seed(5)
    transformers.SegformerForSemanticSegmentation(config).save_pretrained(tmp_path / "stored")
    processor = transformers.SegformerImageProcessor(image_mean=[0.1, 0.2, 0.3], image_std=[0.4, 0.5, 0.6])
    processor.save_pretrained(tmp_path / "stored")
    return tmp_path / "stored"


def test_a_folder_gives_its_weights_only_when_asked(stored: Path) -> None:
    whole = transformers.SegformerForSemanticSegmentation.from_pretrained(stored)
    name = "segformer.stages.0.patch_embeddings.proj.weight"
    name = next(iter(whole.state_dict())) if name not in whole.state_dict() else name
    fresh, asked = (load_model(f"transformers:{stored}{end}", 3, seed=0) for end in ("", "?weights=true"))
    assert not torch.equal(fresh.state_dict()[name], whole.state_dict()[name])
    assert all(torch.equal(value, whole.state_dict()[key]) for key, value in asked.state_dict().items())
    assert asked.preprocessing == Preprocessing((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert asked.training
    by_architecture = load_model(f"transformers:segformer?weights={stored}", 3, seed=0)
    assert torch.equal(by_architecture.state_dict()[name], whole.state_dict()[name])


def test_a_folder_keeps_its_classes_or_gets_a_new_classifier(stored: Path) -> None:
    own = load_model(f"transformers:{stored}?weights=true", None)
    assert own.classes == ("road", "car", "sky")
    other = load_model(f"transformers:{stored}?weights=true", 5)
    assert not hasattr(other, "classes")
    image = torch.rand(1, 3, 64, 64)
    assert TASK.call(other, image).output.shape == (1, 5, 16, 16)
    teacher = own.eval()(own.preprocessing(image)).logits
    assert torch.equal(SegmentationTask(["sky", "road"]).call(own, image).output, teacher[:, [2, 0]])


def test_classes_that_nobody_named_are_numbered(stored: Path, tmp_path: Path) -> None:
    load_model(f"transformers:{stored}", 2, seed=0).save_pretrained(tmp_path / "unnamed")
    assert load_model(f"transformers:{tmp_path / 'unnamed'}?weights=true", None).classes == ("class 0", "class 1")


def test_a_run_is_rebuilt_from_the_folder_without_its_weights(stored: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fetched(*arguments: Any, **more: Any) -> None:
        raise AssertionError("weights were loaded")

    monkeypatch.setattr(transformers.AutoModelForSemanticSegmentation, "from_pretrained", fetched)
    model = from_transformers(parse(f"transformers:{stored}?weights=true"), 3, False)
    assert model.config.num_labels == 3


def test_an_encoder_alone_is_no_trained_network(stored: Path, tmp_path: Path) -> None:
    config = transformers.SegformerConfig.from_pretrained(stored)
    transformers.SegformerModel(config).save_pretrained(tmp_path / "encoder")
    assert load_model(f"transformers:{tmp_path / 'encoder'}?weights=true", 5, seed=0).config.num_labels == 5
    with pytest.raises(
        UsageError, match=r"expected a trained network, got transformers:.* without weights for decode_"
    ):
        load_model(f"transformers:{tmp_path / 'encoder'}?weights=true", None)


def test_the_hub_is_asked_for_weights_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[bool] = []

    def unreachable(source: str, local_files_only: bool) -> None:
        asked.append(local_files_only)
        raise OSError("cannot reach\n the hub")

    monkeypatch.setattr(transformers.AutoConfig, "from_pretrained", unreachable)
    with pytest.raises(UsageError, match=r"^cannot get the config of 'some/net': cannot reach the hub$"):
        load_model("transformers:some/net?weights=imagenet", 5)
    assert asked == [False]
    here = "^cannot get the config of 'some/net' here: `hf download some/net config.json` fetches it: cannot reach the "
    with pytest.raises(UsageError, match=here):
        load_model("transformers:some/net", 5)
    for text in ("transformers:some/net?weights=true", "transformers:segformer?weights=some/net"):
        with pytest.raises(UsageError, match=here):
            from_transformers(parse(text), 5, False)
    assert asked == [False, True, True, True]


def test_a_run_is_rebuilt_from_what_the_hub_has_left_on_the_machine(
    stored: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[bool] = []

    def kept(read: Any) -> Any:
        def from_pretrained(source: str, local_files_only: bool) -> Any:
            asked.append(local_files_only)
            return read(stored)

        return from_pretrained

    for kind in (transformers.AutoConfig, transformers.AutoImageProcessor):
        monkeypatch.setattr(kind, "from_pretrained", kept(kind.from_pretrained))
    model = from_transformers(parse("transformers:some/net?weights=true"), 3, False)
    assert model.preprocessing == Preprocessing((0.1, 0.2, 0.3), (0.4, 0.5, 0.6))
    assert asked == [True, True]


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("transformers:segfromer", "unknown architecture of transformers for .* 'segfromer': did you mean segformer"),
        ("transformers:segformer?depth=1", "unknown option of transformers:segformer 'depth': did you mean depths"),
        ("transformers:segformer?depths=deep", "transformers:segformer refused its options: .*depths"),
        ("transformers:segformer?num_labels=3", "unknown option of transformers:segformer 'num_labels'"),
        ("transformers:segformer?backbone=resnet", "unknown option of transformers:segformer 'backbone'"),
        ("transformers:upernet?backbone=resnett", "unknown backbone of transformers:upernet 'resnett': did you mean "),
        (
            "transformers:upernet?backbone.depht=1",
            "unknown option of transformers:upernet .* 'depht': did you mean dep",
        ),
        ("transformers:segformer?weights=imagenet", "expected the weights of transformers:segformer by a hub id or a "),
        (
            "transformers:some/net?weights=ssl",
            r"expected \?weights=true for transformers:some/net, got \?weights=ssl: it has weights of its own",
        ),
    ],
)
def test_mistakes_get_one_line(spec: str, message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        load_model(spec, 5)
    assert "\n" not in str(caught.value)


def test_without_the_package_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(UsageError, match=r'^expected transformers for .*: pip install "pupil-kd\[transformers\]"$'):
        load_model("transformers:segformer", 5)


def test_its_names_are_listed() -> None:
    assert {"segformer", "dpt", "upernet", "beit"} <= set(model_names()["transformers"])


VIT = "transformers:vit?hidden_size=32&num_hidden_layers=2&num_attention_heads=2&intermediate_size=64&image_size=32"


@pytest.mark.parametrize(
    ("spec", "sizes"),
    [
        (VIT, {"size": (32, 32)}),
        (VIT.replace(":vit", ":deit"), {"size": (32, 32)}),
        ("transformers:swin?depths=1,1&num_heads=1,2&embed_dim=16&image_size=32&window_size=4", {"size": None}),
        ("transformers:convnext?depths=1,1,1,1&hidden_sizes=8,16,24,32", {"size": None, "divisor": 1}),
        (SEGFORMER, {"size": None}),
    ],
)
def test_classifiers_at_32_pixels(spec: str, sizes: dict[str, Any]) -> None:
    model = load_model(spec, 5, kind="whole", seed=0)
    assert model.training
    assert {name: getattr(model.preprocessing, name) for name in sizes} == sizes
    task = ClassificationTask([str(index) for index in range(5)])
    assert task.predict(model.eval(), torch.rand(2, 3, 32, 32)).shape == (2, 5)


def test_a_folder_of_a_classifier_keeps_its_classes(tmp_path: Path) -> None:
    load_model(VIT, 3, kind="whole", seed=0).save_pretrained(tmp_path / "vit")
    own = load_model(f"transformers:{tmp_path / 'vit'}?weights=true", None, kind="whole")
    assert own.classes == ("class 0", "class 1", "class 2")
    other = load_model(f"transformers:{tmp_path / 'vit'}?weights=true", 5, kind="whole")
    name = "vit.embeddings.cls_token"
    assert torch.equal(own.state_dict()[name], other.state_dict()[name])
    with pytest.raises(UsageError, match="unknown architecture of transformers for semantic segmentation 'vit'"):
        load_model(f"transformers:{tmp_path / 'vit'}?weights=true", 5)


def test_a_size_that_the_network_never_takes_is_one_line() -> None:
    with pytest.raises(UsageError, match="expected transformers:swin to run on an image of 320 pixels a side, got "):
        load_model("transformers:swin?depths=1,1&num_heads=1,2&embed_dim=16&image_size=32", 5, kind="whole")
