from __future__ import annotations

import pytest

from pupil.numbers import Measure, amount, metric_name, plain, points, score


def test_spread_is_the_sample_standard_deviation() -> None:
    measure = Measure.of([0.02, 0.03, 0.04])
    assert measure.mean == pytest.approx(0.03)
    assert measure.spread == pytest.approx(0.01)  # squares 1, 0, 1, divided by n - 1 = 2
    assert measure.points(signed=True) == "+3.0 ± 1.0"


def test_one_value_has_no_spread_and_is_never_clear() -> None:
    measure = Measure.of([0.5])
    assert measure.spread is None
    assert measure.points() == "50.0"
    assert not measure.is_clear


@pytest.mark.parametrize(("values", "clear"), [((0.02, 0.03), True), ((-0.02, -0.03), True), ((-0.02, 0.03), False)])
def test_clear_means_farther_from_zero_than_the_spread(values: tuple[float, ...], clear: bool) -> None:
    assert Measure.of(values).is_clear is clear


@pytest.mark.parametrize(
    ("value", "text"), [(0.0004, "0.0"), (-0.0004, "0.0"), (0.0006, "+0.1"), (-0.0312, "-3.1"), (0.1, "+10.0")]
)
def test_a_difference_that_rounds_to_nothing_has_no_sign(value: float, text: str) -> None:
    assert points(value, signed=True) == text


@pytest.mark.parametrize(("value", "text"), [(999, "999"), (999.6, "1 k"), (999_900, "1 M"), (25_557_032, "25.6 M")])
def test_amounts_keep_three_digits(value: float, text: str) -> None:
    assert amount(value) == text


@pytest.mark.parametrize(("value", "text"), [(9.99, "9.99"), (9.996, "10.0"), (99.94, "99.9"), (99.96, "100")])
def test_times_keep_three_digits(value: float, text: str) -> None:
    assert plain(value) == text


def test_metrics_are_written_as_the_field_writes_them() -> None:
    assert metric_name("miou") == "mIoU"
    assert metric_name("pixel_accuracy") == "pixel accuracy"
    assert metric_name("map_50/traffic_light") == "mAP 50: traffic light"


def test_a_score_is_written_alike_wherever_it_is_printed() -> None:
    assert score("miou", 0.0886) == "mIoU 8.9"
    assert score("pixel_accuracy", 1.0) == "pixel accuracy 100.0"
