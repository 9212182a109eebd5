from __future__ import annotations

import subprocess
import sys

import pupil


def test_the_package_can_be_run_as_a_module() -> None:
    ended = subprocess.run([sys.executable, "-m", "pupil", "--version"], capture_output=True, text=True, check=True)
    assert ended.stdout == f"pupil {pupil.__version__}\n"
