"""`import pupil` costs at most 0.1 s on top of torch: names load when they are first used."""

from __future__ import annotations

import subprocess
import sys

BUDGET = 0.1
PROBE = """
import time, torch
start = time.perf_counter()
import pupil
print(time.perf_counter() - start)
"""


def seconds() -> float:
    return float(subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, check=True).stdout)


def test_import_is_cheap_after_torch() -> None:
    # Best of three: a busy machine may slow any one of them, and the first that fits has shown it.
    measured: list[float] = []
    while len(measured) < 3 and min(measured, default=BUDGET + 1) > BUDGET:
        measured.append(seconds())
    assert min(measured) <= BUDGET
