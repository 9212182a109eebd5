from __future__ import annotations

import numpy as np

from pupil.report.curves import over_seeds, scores, smooth, terms


def test_rows_without_the_metric_or_without_anything_to_count_are_left_out() -> None:
    rows = [
        {"step": 3, "metrics": {"m": float("nan")}},
        {"step": 5, "metrics": {"other": 1.0}},
        {"step": 9, "terms": {"task": 1.0}},
        {"step": 9, "metrics": {"m": 0.2}},
    ]
    assert scores(rows, "m") == [(9, 0.2)]


def test_a_term_that_starts_late_keeps_its_steps() -> None:
    rows = [{"step": 1, "terms": {"task": 2.0}}, {"step": 2, "terms": {"task": 1.0, "kd": 0.5}}]
    assert terms(rows) == {"task": [(1, 2.0), (2, 1.0)], "kd": [(2, 0.5)]}


def test_equal_steps_stay_as_they_are() -> None:
    steps, values = over_seeds([[(30, 0.1), (60, 0.2), (90, 0.3)], [(30, 0.3), (60, 0.4), (90, 0.5)]])
    np.testing.assert_allclose(steps, [30, 60, 90])
    np.testing.assert_allclose(values, [[0.1, 0.2, 0.3], [0.3, 0.4, 0.5]])


def test_other_steps_meet_at_equal_shares_of_each_run() -> None:
    # At half of its length the second run is half way between its two scores.
    steps, values = over_seeds([[(50, 0.1), (100, 0.2)], [(50, 0.4), (200, 0.7)]])
    np.testing.assert_allclose(steps, [75, 150])  # shares 0.5 and 1 of a mean length of 150; 0.25 lacks the first run
    np.testing.assert_allclose(values, [[0.1, 0.2], [0.5, 0.7]])


def test_a_single_evaluation_is_a_curve_of_one_point() -> None:
    steps, values = over_seeds([[(7, 0.5)]])
    assert steps.tolist() == [7.0]
    assert values.tolist() == [[0.5]]


def test_smoothing_keeps_a_constant_and_the_length() -> None:
    np.testing.assert_allclose(smooth(np.full(40, 3.0)), np.full(40, 3.0))
    np.testing.assert_allclose(smooth(np.array([2.0])), [2.0])
