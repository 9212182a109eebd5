"""Methods that relate images or refine logits, on networks that say one class an image: CNNs and transformers."""

from __future__ import annotations

import pytest
import torch
from torch import nn

from pupil.engine.balance import balance
from pupil.methods import load_method
from pupil.models import load_model
from pupil.tasks.classification import ClassificationTask

METHODS = ["cckd", "rkd", "pkt", "dkd", "dist"]
TASK = ClassificationTask([str(each) for each in range(5)])


def convolutions(width: int, seed: int) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv2d(3, width, 3, 2, padding=1),
        nn.BatchNorm2d(width),
        nn.ReLU(inplace=True),
        nn.AdaptiveAvgPool2d(1),
        nn.Flatten(),
        nn.Linear(width, len(TASK.classes)),
    )


class Tokens(nn.Module):
    """A transformer whose named layer shows tokens, the first of which is that of the class."""

    def __init__(self, width: int, seed: int) -> None:
        super().__init__()
        torch.manual_seed(seed)
        self.patches = nn.Conv2d(3, width, 4, 4)
        self.blocks = nn.Identity()
        self.head = nn.Linear(width, len(TASK.classes))

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        tokens = self.patches(image).flatten(2).mT
        tokens = self.blocks(torch.cat([tokens.mean(1, keepdim=True), tokens], 1))
        return self.head(tokens[:, 0])


def check_one_step(name: str, student: nn.Module, teacher: nn.Module, **options: object) -> dict[str, torch.Tensor]:
    random = torch.Generator().manual_seed(0)
    image = torch.rand(6, 3, 16, 16, generator=random)
    target = torch.randint(0, len(TASK.classes), (6,), generator=random)
    distiller = load_method(name)(student, teacher, TASK, image[:1], **options).distiller.train()
    balance(distiller, [(image, target, None)], progress=0.5)
    shown = distiller.lesson(image, target, progress=0.5)
    terms = distiller(image, target, progress=0.5)
    for value in terms.values():
        assert value.isfinite()
        assert value > 0
    gradient = torch.autograd.grad(terms[name], list(student.parameters()), allow_unused=True)
    assert any(each is not None and each.abs().sum() > 0 for each in gradient)
    return dict(shown.student.features)


@pytest.mark.parametrize("name", METHODS)
def test_one_step(name: str) -> None:
    features = check_one_step(name, convolutions(6, 0), convolutions(9, 1))
    # What the last linear layer receives.
    assert {layer: tuple(each.shape) for layer, each in features.items()} in ({}, {"5:in": (6, 6)})
    assert bool(features) == (name in ("cckd", "rkd", "pkt"))


@pytest.mark.parametrize("name", ["cckd", "rkd", "pkt"])
@pytest.mark.parametrize("teacher", [Tokens(7, 1), Tokens(6, 1), convolutions(9, 1)])
def test_tokens_are_one_vector_an_image(name: str, teacher: nn.Module) -> None:
    theirs = "blocks" if isinstance(teacher, Tokens) else "5:in"
    features = check_one_step(name, Tokens(6, 0), teacher, layer="blocks", teacher_layer=theirs)
    assert features["blocks"].shape == (6, 17, 6)


@pytest.mark.parametrize("name", METHODS)
def test_our_own_residual_networks(name: str) -> None:
    student, teacher = (
        load_model(f"pupil:resnet{depth}", len(TASK.classes), kind="whole", seed=0) for depth in (8, 14)
    )
    check_one_step(name, student, teacher)
