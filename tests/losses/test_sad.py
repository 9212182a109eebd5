from __future__ import annotations

import math
from typing import get_args

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import pair, softmax
from pupil.errors import UsageError
from pupil.losses import SADLoss, sad_loss
from pupil.losses.sad import Variant, spatial_attention

VARIANTS = get_args(Variant)
COUNTS = {
    "squares": lambda channels: sum(value**2 for value in channels),
    "absolute": lambda channels: sum(abs(value) for value in channels),
    "maximum": lambda channels: max(value**2 for value in channels),
}


def naive_map(feature, variant, size):
    """One image (C, H, W) as rows of numbers, brought to a size by the weighted mean of the four nearest centres."""
    _, height, width = feature.shape
    rows = [
        [COUNTS[variant](feature[:, y, x].tolist()) for x in range(width)] for y in range(height)
    ]  # fmt: skip

    def near(index, length, wanted):
        place = min(max((index + 0.5) * length / wanted - 0.5, 0), length - 1)
        low = math.floor(place)
        return [(low, 1 - (place - low)), (min(low + 1, length - 1), place - low)]

    return [
        [sum(a * b * rows[i][j] for i, a in near(y, height, size[0]) for j, b in near(x, width, size[1]))
         for x in range(size[1])]
        for y in range(size[0])
    ]  # fmt: skip


def naive(student, teacher, size, variant="squares", temperature=1.0, reduction="batch"):
    """A loop over images and positions."""
    total = 0.0
    for ours, theirs in zip(student.detach(), teacher, strict=True):
        p, q = (
            softmax([value for row in naive_map(each, variant, size) for value in row], temperature)
            for each in (ours, theirs)
        )
        total += sum((a - b) ** 2 for a, b in zip(p, q, strict=True))
    return total / len(student) / (math.prod(size) if reduction == "element" else 1)


@pytest.mark.parametrize("variant", VARIANTS)
@pytest.mark.parametrize("settings", [{}, {"temperature": 4.0}, {"reduction": "element"}])
def test_equals_the_loop_over_images_and_positions(variant, settings):
    student, _ = pair(2, 3, 4, 6, scale=1.0)
    teacher, _ = pair(2, 5, 2, 3, scale=1.0)
    teacher = teacher.detach().flip(0)
    loss = sad_loss(student, teacher, variant=variant, **settings)
    assert loss.item() == pytest.approx(naive(student, teacher, (4, 6), variant, **settings), rel=1e-12)


def test_maps_are_compared_at_the_larger_size_or_at_the_one_that_is_named():
    student, teacher = torch.randn(2, 3, 4, 3), torch.randn(2, 5, 2, 6)
    between = sad_loss(student, teacher, size=(3, 5))
    torch.testing.assert_close(sad_loss(student, teacher), sad_loss(student, teacher, size=(4, 6)))
    assert between.item() == pytest.approx(naive(student, teacher, (3, 5)), rel=1e-5)


def test_attention_that_lies_elsewhere_costs_two():
    """Both maps have all of their attention at one position: the squares are 1 and 1."""
    shallow, deep = torch.zeros(1, 1, 2, 2), torch.zeros(1, 1, 2, 2)
    shallow[..., 0, 0] = deep[..., 1, 1] = 50.0
    assert sad_loss(shallow, deep) == 2.0
    assert sad_loss(shallow, shallow) == 0.0
    assert sad_loss(shallow, deep, reduction="element") == 0.5


def test_a_temperature_brings_the_gradient_back():
    def pull(temperature):
        torch.manual_seed(0)
        shallow, deep = (20 * torch.randn(2, 2, 8, 4, 4)).unbind()
        sad_loss(shallow.requires_grad_(), deep, temperature=temperature).backward()
        return shallow.grad.norm()

    assert pull(1.0) < 1e-3
    assert pull(1000.0) > 100 * pull(1.0)


def test_attention_sums_to_one_and_follows_large_features_of_either_sign():
    feature = torch.zeros(1, 2, 2, 3)
    feature[0, 1, 1, 2] = -3.0
    shares = spatial_attention(feature)
    assert shares.sum() == pytest.approx(1.0)
    assert shares.argmax() == 5


@pytest.mark.parametrize("variant", VARIANTS)
def test_gradient(variant):
    student, teacher = pair(2, 3, 2, 3, scale=1.0)
    settings = {"variant": variant, "temperature": 2.0, "size": (4, 5)}
    assert gradcheck(lambda feature: sad_loss(feature, teacher, **settings), student)


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        (
            (2, 3, 4, 4),
            (2, 3),
            r"two maps \(N, C, H, W\) of the same images, got \(2, 3, 4, 4\) and \(2, 3\): take two",
        ),
        ((2, 3, 4, 4), (1, 3, 4, 4), "of the same images"),
        ((2, 3, 4, 4), (2, 3, 1, 1), "two positions or more"),
    ],
)
def test_refuses_features_that_cannot_be_compared(student, teacher, message):
    with pytest.raises(UsageError, match=message):
        sad_loss(torch.zeros(student), torch.zeros(teacher))


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"variant": "square"}, "unknown variant 'square': did you mean squares"),
        ({"reduction": "mean"}, "unknown reduction 'mean'"),
        ({"temperature": 0.0}, "temperature above zero"),
    ],
)
def test_refuses_settings_that_mean_nothing(settings, message):
    shown = torch.zeros(1, 1, 2, 2)
    with pytest.raises(UsageError, match=message):
        SADLoss(**settings)
    with pytest.raises(UsageError, match=message):
        sad_loss(shown, shown, **settings)


def test_module_hands_over_its_settings():
    student, teacher = pair(2, 3, 4, 4)
    settings = {"variant": "absolute", "reduction": "element", "temperature": 3.0, "size": (2, 2)}
    loss = SADLoss(**settings)
    assert loss(student, teacher) == sad_loss(student, teacher, **settings)
    assert "variant='absolute', reduction='element', temperature=3.0" in repr(loss)


@pytest.mark.parametrize("scale", [1e-3, 1.0, 1e3])
def test_a_map_softened_by_its_own_spread_is_the_same_at_any_scale(scale):
    random = torch.Generator().manual_seed(0)
    shallow, deep = torch.randn(2, 64, 6, 8, generator=random), torch.randn(2, 256, 3, 4, generator=random)
    student = (scale * shallow).requires_grad_()
    loss = sad_loss(student, scale * deep, temperature=None)
    torch.testing.assert_close(loss.detach(), sad_loss(shallow, deep, temperature=None))
    loss.backward()
    assert student.grad.abs().sum() > 0


def test_an_even_map_stays_even_whatever_its_height():
    even = torch.full((1, 4, 2, 3), 1e4)
    assert spatial_attention(even, temperature=None).allclose(torch.full((1, 2, 3), 1 / 6))
