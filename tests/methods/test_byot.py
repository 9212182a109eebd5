from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.errors import UsageError
from pupil.losses import BYOTLoss
from pupil.methods.byot import byot
from pupil.models import load_model
from pupil.networks.bottleneck import Bottleneck
from pupil.tasks.classification import ClassificationTask
from pupil.tasks.segmentation import SegmentationTask

CLASSES = list("abcde")
NETS = [
    pytest.param("torchvision:resnet18", 64, ["layer1", "layer2", "layer3"], [8, 4, 2], id="resnet"),
    pytest.param("torchvision:swin_t", 64, ["features.1", "features.3", "features.5"], [8, 4, 2], id="swin"),
    pytest.param("pupil:tiny", 32, ["stem", "stage1", "stage2"], [1, 1, 1], id="ours"),
]


def built(name: str) -> nn.Module:
    if name.startswith("torchvision"):
        import torchvision

        net: nn.Module = getattr(torchvision.models, name.partition(":")[2])(num_classes=5)
        return net
    return load_model(name, 5, seed=0)


@pytest.mark.parametrize(("name", "size", "layers", "strides"), NETS)
def test_early_classifiers_stand_on_the_stages_before_the_last(
    name: str, size: int, layers: list[str], strides: list[int]
) -> None:
    torch.manual_seed(0)
    dense = name.startswith("pupil")
    task = SegmentationTask(CLASSES) if dense else ClassificationTask(CLASSES)
    student, image = built(name), torch.rand(2, 3, size, size)
    target = torch.randint(0, 5, (2, size, size) if dense else (2,))
    distiller = byot(student, None, task, image[:1]).distiller.train()
    assert distiller.student.layers[:-1] == tuple(layers)
    loss = distiller.terms["byot"].loss
    assert isinstance(loss, BYOTLoss)
    # The convolution in the middle of a bottleneck is the one that shrinks.
    shrinking = [each[3].stride[0] for each in loss.bottlenecks if isinstance(each, Bottleneck)]
    assert shrinking == strides
    terms = distiller(image, target)
    sum(terms.values()).backward()
    assert all(each.grad is not None for each in distiller.parameters())
    alone = torch.autograd.grad(distiller(image, target)["byot"], list(student.parameters()), allow_unused=True)
    # The last layers are a target: nothing of this term reaches them.
    assert alone[0] is not None
    assert alone[-1] is None


def test_layers_can_be_named_and_weights_set() -> None:
    torch.manual_seed(0)
    image, target = torch.rand(4, 3, 8, 8), torch.tensor([0, 4, 2, 2])
    student = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Conv2d(4, 6, 3), nn.Flatten(), nn.Linear(96, 5))
    task = ClassificationTask(CLASSES)
    torch.manual_seed(1)
    once = byot(student, None, task, image, layers="1, 2").distiller
    torch.manual_seed(1)
    twice = byot(student, None, task, image, layers="1, 2", weight=2.0).distiller
    assert once.student.layers == ("1", "2", "4:in")
    torch.testing.assert_close(2.0 * once(image, target)["byot"], twice(image, target)["byot"])
    with pytest.raises(UsageError, match="unknown layer '9'"):
        byot(student, None, task, image, layers="9")
    with pytest.raises(UsageError, match=r"expected a map \(N, C, H, W\) at layer '3', got \(4, 96\)"):
        byot(student, None, task, image, layers="1,3")


def test_a_network_without_maps_is_refused() -> None:
    with pytest.raises(UsageError, match=r"expected layers with maps .* name them with --set layers=NAME,NAME"):
        byot(nn.Sequential(nn.Flatten(), nn.Linear(192, 5)), None, ClassificationTask(CLASSES), torch.rand(1, 3, 8, 8))
