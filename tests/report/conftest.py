"""Made-up runs whose every gain can be worked out in the head."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

Summary = dict[str, Any]
TEACHER = {"name": "pupil:large", "parameters": 2_000_000, "value": 0.80}


def make_summary(method: str, seed: int, value: float, **changes: Any) -> Summary:
    return {
        "role": "student",
        "recipe": "segmentation",
        "method": method,
        "task": "segmentation",
        "metric": "miou",
        "value": value,
        "metrics": {"miou": value, "pixel_accuracy": 0.9, "iou/road": value + 0.1, "iou/car": value - 0.1},
        "student": {"name": "pupil:small", "parameters": 25_000},
        "teacher": TEACHER if method in {"kd", "aicsd"} else None,
        "seed": seed,
        "epochs": 4,
        "steps": 400,
        "seconds": 20.0,
        "images_per_second": 100.0,
        "milliseconds_per_image": 1.25,
        "data": "street scenes",
        "version": "0.1.0",
        **changes,
    }


@pytest.fixture
def summary() -> Callable[..., Summary]:
    return make_summary


@pytest.fixture
def comparison() -> list[Summary]:
    """A teacher at 80; the student alone at 60, 62, 64; kd at -1, +1, -3; aicsd at +2, +3, +4; one seed of seconds."""
    runs = [make_summary("aicsd", seed, value) for seed, value in ((0, 0.62), (1, 0.65), (2, 0.68))]
    runs += [make_summary("kd", seed, value) for seed, value in ((0, 0.59), (1, 0.63), (2, 0.61))]
    runs += [make_summary("none", seed, value) for seed, value in ((0, 0.60), (1, 0.62), (2, 0.64))]
    runs += [make_summary("none-seconds", 1, 0.63, steps=800)]
    large = {"name": "pupil:large", "parameters": 2_000_000}
    runs += [make_summary("none", 0, 0.80, role="teacher", student=large, milliseconds_per_image=10.0)]
    return runs


@pytest.fixture
def logs(comparison: list[Summary]) -> list[list[dict[str, Any]]]:
    """Rows of metrics.jsonl for the comparison, in its order."""
    return [
        [
            {"step": 0, "progress": 0.0, "seconds": 0.0, "learning_rate": 0.1, "loss": 2.0, "terms": {"task": 2.0}},
            {"step": 10, "progress": 0.5, "seconds": 1.0, "learning_rate": 0.1, "loss": 1.0, "terms": {"task": 1.0}},
            {"step": each["steps"] // 2, "seconds": 1.0, "metrics": {"miou": each["value"] - 0.1}},
            {"step": each["steps"], "seconds": 2.0, "metrics": {"miou": each["value"]}},
        ]
        for each in comparison
    ]
