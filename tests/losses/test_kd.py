from __future__ import annotations

import pytest
import torch
from torch.autograd import gradcheck

from losses.naive import kl, pair, softmax
from pupil.errors import UsageError
from pupil.losses import KDLoss, kd_loss

SHAPES = [(3, 5), (2, 4, 6), (2, 3, 4, 5), (2, 3, 2, 3, 2)]


def mask(*shape):
    torch.manual_seed(1)
    valid = torch.rand(shape[0], *shape[2:]) < 0.6
    assert 0 < valid.sum() < valid.numel()
    return valid


def naive(student, teacher, valid, temperature, reduction):
    """A loop over images and positions; `valid` decides which of them take part."""
    images, classes = student.shape[:2]
    rows = zip(
        student.detach().movedim(1, -1).reshape(-1, classes).tolist(),
        teacher.movedim(1, -1).reshape(-1, classes).tolist(),
        valid.flatten().tolist(),
        strict=True,
    )
    values = [kl(softmax(q, temperature), softmax(p, temperature)) for p, q, counts in rows if counts]
    divisor = {"position": len(values), "batch": images, "element": len(values) * classes}[reduction]
    return temperature**2 * sum(values) / divisor


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("temperature", [1.0, 4.0, 0.5])
@pytest.mark.parametrize("reduction", ["position", "batch", "element"])
def test_equals_the_loop_over_positions(shape, temperature, reduction):
    student, teacher = pair(*shape)
    valid = mask(*shape)
    settings = {"temperature": temperature, "reduction": reduction}
    everywhere = naive(student, teacher, torch.ones_like(valid), temperature, reduction)
    masked = naive(student, teacher, valid, temperature, reduction)
    assert kd_loss(student, teacher, **settings).item() == pytest.approx(everywhere, rel=1e-12)
    assert kd_loss(student, teacher, valid, **settings).item() == pytest.approx(masked, rel=1e-12)


@pytest.mark.parametrize("shape", SHAPES)
def test_a_mask_equals_dropping_the_positions(shape):
    student, teacher = pair(*shape)
    valid = mask(*shape)
    kept = kd_loss(student.movedim(1, -1)[valid], teacher.movedim(1, -1)[valid], temperature=3.0)
    masked = kd_loss(student, teacher, valid, temperature=3.0)
    torch.testing.assert_close(masked, kept)
    torch.testing.assert_close(*(torch.autograd.grad(loss, student)[0] for loss in (masked, kept)))


def test_equal_logits_cost_nothing():
    student, _ = pair(2, 3, 4, 4)
    loss = kd_loss(student, student, temperature=2.0)
    assert loss.item() == 0
    assert not torch.autograd.grad(loss, student)[0].any()


def test_temperature_squared_keeps_the_gradient_at_one_scale():
    student, teacher = pair(4, 10, scale=0.01)
    norms = [
        torch.autograd.grad(kd_loss(student, teacher, temperature=temperature), student)[0].norm().item()
        for temperature in (1.0, 8.0)
    ]
    assert norms[0] == pytest.approx(norms[1], rel=0.05)


@pytest.mark.parametrize("masked", [False, True])
def test_gradient(masked):
    student, teacher = pair(2, 3, 2, 3)
    valid = mask(2, 3, 2, 3) if masked else None
    assert gradcheck(lambda logits: kd_loss(logits, teacher, valid, temperature=2.0), student)


def test_compiles_in_one_graph():
    student, teacher = pair(2, 3, 4, 4)
    compiled = torch.compile(KDLoss(temperature=2.0), backend="eager", fullgraph=True)
    torch.testing.assert_close(compiled(student, teacher), kd_loss(student, teacher, temperature=2.0))


@pytest.mark.parametrize(
    ("student", "teacher", "message"),
    [
        ((2, 3, 4, 4), (2, 3, 8, 8), r"got \(2, 3, 4, 4\) and \(2, 3, 8, 8\): resample .*resize="),
        ((2, 3, 4, 4), (2, 5, 4, 4), "use a teacher with the student's classes"),
        ((2, 3, 4, 4), (1, 3, 4, 4), "the same batch"),
        ((2, 1, 4, 4), (2, 1, 4, 4), "softmax over one channel is constant"),
    ],
)
def test_refuses_logits_that_cannot_be_compared(student, teacher, message):
    with pytest.raises(UsageError, match=message):
        kd_loss(torch.zeros(student), torch.zeros(teacher))


@pytest.mark.parametrize("valid", [torch.ones(2, 8, 8, dtype=torch.bool), torch.ones(2, 4, 4)])
def test_refuses_a_mask_that_does_not_fit(valid):
    with pytest.raises(UsageError, match=r"expected valid as bool of shape \(2, 4, 4\)"):
        kd_loss(torch.zeros(2, 3, 4, 4), torch.zeros(2, 3, 4, 4), valid)


def test_refuses_settings_that_mean_nothing():
    with pytest.raises(UsageError, match="temperature above zero, got 0"):
        KDLoss(temperature=0)
    with pytest.raises(UsageError, match="unknown reduction 'elements': did you mean element"):
        KDLoss(reduction="elements")


def test_module_shows_its_settings():
    assert repr(KDLoss(temperature=4.0)) == "KDLoss(temperature=4.0, reduction='position')"
