"""What `import pupil` costs on top of torch, and whether `pupil --help` stays clear of torch.

python benchmarks/start.py
"""

from __future__ import annotations

import statistics
import subprocess
import sys

IMPORT = "import torch, time; start = time.perf_counter(); import pupil; print(time.perf_counter() - start)"
HELP = """
import sys
sys.argv = ["pupil", "--help"]
from pupil.cli import main
try:
    main()
except SystemExit:
    pass
print("torch" in sys.modules)
"""


def last_line(code: str) -> str:
    """What a fresh process prints at its end."""
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    return run.stdout.strip().splitlines()[-1]


def main() -> None:
    seconds = sorted(float(last_line(IMPORT)) for _ in range(9))
    print(
        f"import pupil after torch: {1e3 * statistics.median(seconds):.2f} ms "
        f"({1e3 * seconds[0]:.2f} to {1e3 * seconds[-1]:.2f}, 9 processes, expected <= 100 ms)"
    )
    print(f"pupil --help imports torch: {last_line(HELP)} (expected False)")


if __name__ == "__main__":
    main()
