from __future__ import annotations

import pickle
from collections.abc import Callable
from functools import partial

import pytest

from pupil import schedules
from pupil.errors import UsageError
from pupil.lesson import Lesson, Weight
from pupil.schedules import Share, weight_at


def at(progress: float) -> Lesson:
    return Lesson(None, None, None, progress=progress)  # type: ignore[arg-type]


def measured(share: float, schedule: Weight = 1.0) -> Share:
    weight = Share(share, schedule)
    weight.ratio = 8.0
    return weight


SCHEDULES = {
    "linear": (schedules.linear(1.0, 0.0), {0.0: 1.0, 0.25: 0.75, 0.99: 0.01}),
    "cosine": (schedules.cosine(2.0, 0.0), {0.0: 2.0, 0.5: 1.0, 0.75: 1.0 - 2**-0.5}),
    "ramp_up": (schedules.ramp_up(4.0, until=0.5), {0.0: 0.0, 0.25: 2.0, 0.5: 4.0, 0.9: 4.0}),
    "after": (schedules.after(0.4, 3.0), {0.0: 0.0, 0.39: 0.0, 0.4: 3.0, 0.9: 3.0}),
    "adaptive, labels": (schedules.adaptive(2.0), {0.0: 0.0, 0.25: 0.5, 0.75: 1.5}),
    "adaptive, teacher": (schedules.adaptive(2.0, of="teacher"), {0.0: 2.0, 0.25: 1.5, 0.75: 0.5}),
    "nested": (schedules.after(0.5, schedules.linear(4.0, 0.0)), {0.25: 0.0, 0.5: 2.0, 0.75: 1.0}),
    "share": (measured(0.5), {0.0: 4.0, 0.9: 4.0}),
    "share, scheduled": (measured(0.5, schedules.after(0.5, 2.0)), {0.0: 0.0, 0.5: 8.0}),
}


@pytest.mark.parametrize("name", SCHEDULES)
def test_values_before_and_after_pickling(name: str) -> None:
    schedule, values = SCHEDULES[name]
    for weight in (schedule, pickle.loads(pickle.dumps(schedule))):
        found = {progress: weight_at(weight, at(progress)) for progress in values}
        assert found == pytest.approx(values)
        assert all(type(value) is float for value in found.values())


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (partial(schedules.ramp_up, 1.0, until=0.0), r"expected until in \(0, 1\], got 0.0"),
        (partial(schedules.ramp_up, 1.0, until=1.5), r"expected until in \(0, 1\], got 1.5"),
        (partial(schedules.after, 1.0, 1.0), r"expected start in \[0, 1\), got 1.0"),
        (partial(schedules.after, -0.1, 1.0), r"expected start in \[0, 1\), got -0.1"),
        (partial(schedules.adaptive, 1.0, of="label"), r"'label': did you mean labels\?"),
    ],
)
def test_bounds_are_checked_when_a_schedule_is_made(make: partial[Weight], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        make()


def test_the_adaptive_weights_of_both_sides_add_up() -> None:
    labels, teacher = schedules.adaptive(3.0), schedules.adaptive(3.0, of="teacher")
    for progress in (0.0, 0.3, 0.999):
        assert weight_at(labels, at(progress)) + weight_at(teacher, at(progress)) == pytest.approx(3.0)


def test_a_share_that_was_not_measured_says_how() -> None:
    with pytest.raises(UsageError, match=r"not been measured: call pupil\.balance"):
        Share(0.5)(at(0.0))


@pytest.mark.parametrize("weight", [Share(0.0), Share(0.5, 0.0), Share(0.5, schedules.after(0.5, 1.0))])
def test_a_share_that_does_not_act_needs_no_measuring(weight: Share) -> None:
    assert not weight.acts(at(0.25))
    assert weight(at(0.25)) == 0.0


def test_a_share_acts_from_the_start_of_its_schedule() -> None:
    weight = Share(0.5, schedules.after(0.5, 1.0))
    assert [weight.acts(at(progress)) for progress in (0.0, 0.49, 0.5, 0.9)] == [False, False, True, True]


@pytest.mark.parametrize(
    "make",
    [
        lambda share: schedules.after(0.5, share),
        lambda share: schedules.ramp_up(share, until=0.5),
        lambda share: schedules.scaled(2.0, share),
        lambda share: Share(1.0, share),
        lambda share: schedules.after(0.5, schedules.scaled(2.0, share)),
    ],
)
def test_a_share_inside_a_schedule_would_never_be_measured(make: Callable[[Share], Weight]) -> None:
    message = r"expected a number or a schedule, got Share\(0\.5.*: put the schedule inside, Share\(share, schedule\)"
    with pytest.raises(UsageError, match=message):
        make(Share(0.5))
