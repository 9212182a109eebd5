from __future__ import annotations

from collections.abc import Callable

import pytest

from pupil.engine.stopwatch import Stopwatch


@pytest.fixture
def wait(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    now = [100.0]
    monkeypatch.setattr("time.perf_counter", lambda: now[0])

    def wait(seconds: float) -> None:
        now[0] += seconds

    return wait


def test_counts_what_passes_between_start_and_count(wait: Callable[[float], None]) -> None:
    clock = Stopwatch()
    wait(5.0)
    clock.start()
    wait(1.0)
    assert clock.count() == 1.0
    wait(2.0)
    assert clock.count() == 3.0
    wait(7.0)
    clock.start()
    wait(0.5)
    assert clock.seconds == 3.0
    assert clock.count() == clock.seconds == 3.5


def test_goes_on_from_an_earlier_part_of_the_run(wait: Callable[[float], None]) -> None:
    clock = Stopwatch()
    clock.seconds = 60.0
    clock.start()
    wait(1.0)
    assert clock.count() == 61.0
