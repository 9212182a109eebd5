from __future__ import annotations

import pytest
import torch

from pupil.errors import UsageError
from pupil.models.small import SIZES, small_net


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [("tiny", 22e3, 30e3), ("small", 150e3, 250e3), ("base", 1e6, 2e6), ("large", 5e6, 8e6)],
)
def test_number_of_parameters(name: str, least: float, most: float) -> None:
    assert least < sum(parameter.numel() for parameter in small_net(name, classes=11).parameters()) < most


@pytest.mark.parametrize("name", SIZES)
@pytest.mark.parametrize("size", [(64, 96), (45, 61), (17, 33)])
def test_logits_at_half_the_size_rounded_up(name: str, size: tuple[int, int]) -> None:
    model = small_net(name, classes=4).eval()
    with torch.no_grad():
        logits = model(torch.rand(1, 3, *size))
    assert logits.shape == (1, 4, -(-size[0] // 2), -(-size[1] // 2))
    assert logits.isfinite().all()


def test_names_of_the_parts() -> None:
    parts = [name for name, _ in small_net("tiny", classes=3).named_children()]
    assert parts == ["stem", "stage1", "stage2", "stage3", "context", "decoder", "classifier"]


@pytest.mark.parametrize("aux", [False, True])
def test_gradient_reaches_every_parameter(aux: bool) -> None:
    torch.manual_seed(0)
    model = small_net("tiny", classes=3, aux=aux)
    output = model(torch.rand(2, 3, 32, 32))
    sum(each.square().sum() for each in (output.values() if aux else [output])).backward()
    idle = [name for name, each in model.named_parameters() if each.grad is None or not each.grad.any()]
    assert idle == []


def test_auxiliary_logits_stand_beside_the_others() -> None:
    output = small_net("tiny", classes=3, aux=True)(torch.rand(2, 3, 64, 96))
    assert {name: tuple(each.shape) for name, each in output.items()} == {
        "out": (2, 3, 32, 48),
        "aux": (2, 3, 8, 12),
    }


def test_width_scales_every_part() -> None:
    model = small_net("tiny", classes=3, width=24)
    assert model.stem[0].out_channels == 24
    assert model.stage3[0].body[0][0].out_channels == 48
    assert model.decoder.lateral[0].out_channels == 24


def test_learns_which_half_is_bright() -> None:
    torch.manual_seed(0)
    model = small_net("tiny", classes=2)
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-2)
    image = torch.rand(8, 3, 32, 32) * 0.5
    image[..., 16:] += 0.5
    target = torch.zeros(8, 16, 16, dtype=torch.long)
    target[..., 8:] = 1
    losses = []
    for _ in range(15):
        loss = torch.nn.functional.cross_entropy(model(image), target)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.2 * losses[0]


def test_refuses_unknown_names_and_vanishing_widths() -> None:
    with pytest.raises(UsageError, match="unknown model of the family 'pupil' 'tinny': did you mean tiny"):
        small_net("tinny", classes=3)
    with pytest.raises(UsageError, match="expected a width of at least 4 channels, got 3"):
        small_net("tiny", classes=3, width=3)
