"""What readers copy runs: every example, and every python block of the README and the docs.

The blocks of one document are run in order as one script, in a folder that holds a miniature data set `data`,
TinyImageNet's validation images as they are unpacked, and the batch of a step that went wrong.
"""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from architecture.documents import ROOT, scripts
from data.miniature import save, write_split
from pupil.engine.replay import SUFFIX

SCRIPTS = scripts()


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for split in ("train", "val"):
        write_split(tmp_path / "data", split, size=(64, 96))
    # TinyImageNet's validation images, which come flat.
    save(tmp_path / "tiny-imagenet-200/val/images/val_0.png", [[0, 1]])
    annotations = tmp_path / "tiny-imagenet-200/val/val_annotations.txt"
    annotations.write_text("val_0.png\tn01443537\t0\t0\t1\t1\n")
    part = [torch.rand(2, 3, 8, 8), torch.zeros(2, 8, 8), torch.zeros(2, 2)]
    torch.save({"step": 1, "parts": [part]}, tmp_path / f"nan{SUFFIX}")
    monkeypatch.chdir(tmp_path)


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("name", SCRIPTS)
def test_runs(name: str, capsys: pytest.CaptureFixture[str]) -> None:
    with torch.random.fork_rng():
        exec(compile(SCRIPTS[name], ROOT / name, "exec", dont_inherit=True), {"__name__": "__main__"})
    if name.startswith("examples"):
        assert capsys.readouterr().out, "an example shows what it did"


def test_every_example_was_visited() -> None:
    examples = [name for name in SCRIPTS if name.startswith("examples")]
    assert len(examples) >= 3
    assert all(len(SCRIPTS[name].splitlines()) < 50 for name in examples)
