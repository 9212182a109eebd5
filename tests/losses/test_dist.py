"""DIST: Pearson's correlations as loops over rows and columns, masks, and edges."""

from __future__ import annotations

import statistics

import pytest
import torch

from losses.naive import pair, softmax
from pupil.errors import UsageError
from pupil.losses import DISTLoss, dist_loss


def naive(student, teacher, temperature):
    """The two distances of predictions (P, K), as lists."""
    ours, theirs = ([softmax(row, temperature) for row in logits.tolist()] for logits in (student, teacher))
    columns = zip(zip(*ours, strict=True), zip(*theirs, strict=True), strict=True)
    inter = [1 - statistics.correlation(one, other) for one, other in zip(ours, theirs, strict=True)]
    intra = [1 - statistics.correlation(one, other) for one, other in columns]
    return sum(inter) / len(inter), sum(intra) / len(intra)


@pytest.mark.parametrize("temperature", [1.0, 4.0])
def test_equals_the_loops_over_rows_and_columns(temperature):
    student, teacher = pair(6, 5)
    inter, intra = (temperature**2 * each for each in naive(student, teacher, temperature))
    settings = {"temperature": temperature}
    assert dist_loss(student, teacher, **settings).item() == pytest.approx(inter + intra, rel=1e-9)
    assert dist_loss(student, teacher, intra=0.0, **settings).item() == pytest.approx(inter, rel=1e-9)
    assert dist_loss(student, teacher, inter=0.0, intra=3.0, **settings).item() == pytest.approx(3 * intra, rel=1e-9)


def test_every_valid_position_is_a_prediction():
    student, teacher = pair(2, 5, 3, 4)
    valid = torch.arange(24).reshape(2, 3, 4) % 5 != 0
    everywhere = [logits.movedim(1, -1).flatten(0, 2) for logits in (student, teacher)]
    counted = [logits.movedim(1, -1)[valid] for logits in (student, teacher)]
    torch.testing.assert_close(dist_loss(student, teacher), dist_loss(*everywhere))
    loss = dist_loss(student, teacher, valid)
    torch.testing.assert_close(loss, dist_loss(*counted))
    loss.backward()
    assert not student.grad.movedim(1, -1)[~valid].any()


@pytest.mark.parametrize("masked", [False, True])
def test_gradient(masked):
    student, teacher = pair(2, 4, 2, 3)
    valid = torch.arange(12).reshape(2, 2, 3) % 4 != 0 if masked else None
    assert torch.autograd.gradcheck(lambda logits: dist_loss(logits, teacher, valid, temperature=2.0), student)


def test_what_the_student_does_not_tell_apart_has_no_direction_to_learn():
    student, (teacher, _) = torch.zeros(37, 11, requires_grad=True), pair(37, 11, dtype=torch.float32)
    # Logits that are equal, and equal rows: every correlation is one of rounding.
    for logits in (student, student + torch.arange(11.0)):
        loss = dist_loss(logits, teacher, inter=float(logits is student), intra=float(logits is not student))
        assert loss == 1
        [gradient] = torch.autograd.grad(loss, student)
        assert not gradient.any()


def test_one_image_correlates_over_its_classes_alone():
    student, teacher = pair(1, 5)
    torch.testing.assert_close(dist_loss(student, teacher), 1 + dist_loss(student, teacher, intra=0.0))


def test_the_module_passes_its_settings_on():
    student, teacher = pair(4, 5)
    settings = {"temperature": 2.0, "inter": 0.5, "intra": 2.0}
    assert torch.equal(DISTLoss(**settings)(student, teacher), dist_loss(student, teacher, **settings))
    assert "temperature=2.0, inter=0.5, intra=2.0" in repr(DISTLoss(**settings))


def test_mistakes_are_refused():
    with pytest.raises(UsageError, match="use a teacher with the student's classes"):
        dist_loss(torch.zeros(3, 4), torch.zeros(3, 5))
    with pytest.raises(UsageError, match="softmax over one channel is constant"):
        dist_loss(torch.zeros(3, 1), torch.zeros(3, 1))
    for settings in ({"inter": 0.0, "intra": 0.0}, {"intra": -1.0}):
        with pytest.raises(UsageError, match="expected a weight above zero"):
            DISTLoss(**settings)
