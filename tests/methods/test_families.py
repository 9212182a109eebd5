"""Networks of every family teach and learn for one step, unmodified: CNNs and transformers, at unlike strides."""

from __future__ import annotations

from collections.abc import Mapping

import pytest
import torch
from torch import nn

from pupil.engine.balance import balance
from pupil.methods import load_method
from pupil.models import load_model
from pupil.taps import dry_run
from pupil.tasks.segmentation import SegmentationTask

PACKAGES = {"timm": "timm", "smp": "segmentation_models_pytorch", "transformers": "transformers"}
TASK = SegmentationTask(["road", "car", "sky", "tree", "person"])
SEGFORMER = (
    "transformers:segformer?depths=1,1,1,1&hidden_sizes=8,16,24,32&num_attention_heads=1,2,3,4&decoder_hidden_size=16"
)
DPT = (
    "transformers:dpt?hidden_size=32&num_hidden_layers=4&num_attention_heads=2&intermediate_size=64&image_size=64"
    "&backbone_out_indices=0,1,2,3&neck_hidden_sizes=8,8,8,8&fusion_hidden_size=16"
)
UPERNET = (
    "transformers:upernet?backbone=convnext&backbone.depths=1,1,1,1&backbone.hidden_sizes=8,16,24,32&hidden_size=16"
)
BEIT = "transformers:beit?hidden_size=32&num_hidden_layers=4&num_attention_heads=2&intermediate_size=64"
VIT = "timm:vit_tiny_patch16_224?depth=4&embed_dim=48&num_heads=3&decoder=16"
REGISTERS = "timm:vit_small_patch14_reg4_dinov2?depth=4&embed_dim=48&num_heads=3&decoder=16"
SWIN = "timm:swin_tiny_patch4_window7_224?depths=1,1,1,1&embed_dim=12&num_heads=1,2,3,4&decoder=16"

# teacher, student, method, its layers: each network of another library stands for one more of its family.
PAIRS: list[tuple[str, str, str, Mapping[str, str]]] = [
    # torchvision
    ("torchvision:lraspp_mobilenet_v3_large", "pupil:tiny", "hint", {}),
    ("torchvision:deeplabv3_mobilenet_v3_large?aux_loss=true", "pupil:tiny", "cwd", {}),
    ("torchvision:fcn_resnet50", "torchvision:lraspp_mobilenet_v3_large", "attention", {}),
    ("torchvision:deeplabv3_resnet50", "pupil:tiny", "aicsd", {}),
    # timm: CNN to CNN, transformer to CNN, CNN to transformer, with registers, with channels last
    ("timm:resnet18?decoder=32", "timm:mobilenetv3_small_050?decoder=16", "hint", {}),
    (VIT, "timm:resnet10t?decoder=16", "hint", {"layer": "encoder.layer3", "teacher_layer": "encoder.model.blocks.3"}),
    (VIT, "pupil:tiny", "attention", {"layer": "stage2", "teacher_layer": "encoder.model.blocks.1"}),
    ("timm:resnet10t", REGISTERS, "hint", {"layer": "encoder.model.blocks.3", "teacher_layer": "encoder.layer4"}),
    (VIT, REGISTERS, "similarity", {"layer": "encoder.model.blocks.2"}),
    (SWIN, "timm:convnext_atto?decoder=16", "hint", {"layer": "encoder.stages_2", "teacher_layer": "encoder.layers_2"}),
    ("timm:hrnet_w18_small", "pupil:tiny", "kd", {}),
    # segmentation_models_pytorch
    ("smp:unet/resnet18?decoder_channels=32,16,16,8,8", "smp:fpn/tu-mobilenetv3_small_050", "hint", {}),
    ("smp:deeplabv3plus/resnet18", "pupil:tiny", "cwd", {}),
    ("smp:segformer/mit_b0", "smp:unet/tu-resnet10t?encoder_depth=4&decoder_channels=32,16,16,8", "hint", {}),
    ("smp:linknet/resnet18", "smp:pspnet/tu-resnet10t", "similarity", {}),
    # transformers
    (SEGFORMER, "pupil:tiny", "hint", {"layer": "stage3", "teacher_layer": "segformer.stages.2"}),
    (DPT, "pupil:tiny", "hint", {"layer": "stage3", "teacher_layer": "dpt.encoder.layer.2"}),
    (UPERNET, SEGFORMER, "attention", {}),
    (BEIT + "&out_indices=1,2,3,4", SEGFORMER, "kd", {}),
    ("transformers:mobilenet_v2?depth_multiplier=0.35", "pupil:tiny", "pairwise", {}),
    # across libraries
    (DPT, "timm:resnet10t?decoder=16", "icsd", {}),
    ("smp:unet/resnet18", SEGFORMER, "hint", {}),
]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("teacher", "student", "method", "layers"), PAIRS, ids=[f"{a}-{b}-{m}".replace("&", " ") for a, b, m, _ in PAIRS]
)
def test_one_step(teacher: str, student: str, method: str, layers: Mapping[str, str]) -> None:
    large, small = network(teacher, seed=1), network(student, seed=2)
    torch.manual_seed(0)
    image, target = torch.rand(2, 3, 64, 96), torch.randint(0, len(TASK.classes), (2, 64, 96))
    plan = load_method(method)(small, large, TASK, image, **layers)
    taught, learned = weights(large), weights(small)
    optimizer = torch.optim.SGD(plan.distiller.parameters(), lr=0.1)
    distiller = plan.distiller.train()
    balance(distiller, [(image, target, None)], progress=0.5)
    terms = distiller(image, target, progress=0.5)
    assert set(terms) > {"task"}
    sum(terms.values()).backward()
    optimizer.step()
    assert all(torch.isfinite(value) for value in terms.values()), terms
    assert all(torch.equal(value, taught[name]) for name, value in large.state_dict().items())
    # A little that no output depends on comes with several of them, such as the norm after a transformer's last block.
    parameters = dict(small.named_parameters())
    idle = [name for name, each in parameters.items() if each.grad is None]
    assert len(idle) < 0.1 * len(parameters), idle
    assert any(not torch.equal(each, learned[name]) for name, each in parameters.items())


@pytest.mark.slow
@pytest.mark.parametrize("spec", dict.fromkeys(spec for pair in PAIRS for spec in pair[:2]))
def test_most_layers_can_be_tapped(spec: str) -> None:
    model = network(spec, seed=0)
    found = dry_run(model, torch.zeros(1, 3, 64, 96), TASK.call)
    ran = [layer for layer in found.layers.values() if layer.output is not None]
    assert len([layer for layer in ran if layer.problem is None]) > 0.5 * len(ran)


def network(spec: str, seed: int) -> nn.Module:
    family = spec.partition(":")[0]
    if family in PACKAGES:
        pytest.importorskip(PACKAGES[family])
    return load_model(spec, len(TASK.classes), seed=seed)


def weights(model: nn.Module) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in model.state_dict().items()}
