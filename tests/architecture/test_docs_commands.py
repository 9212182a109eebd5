"""What readers type runs: every command of the README and the docs, shrunk by `--smoke`, in the order of its page.

The names that stand for the reader's own things exist: data folders of the usual layout, photographs, a network, and a
run wherever a command begins from one that no command of the page has trained.
"""

from __future__ import annotations

import shutil
import sys
from itertools import pairwise
from pathlib import Path

import pytest

from architecture.documents import blocks, commands
from command import pupil
from data.detection.box_layouts import write_coco_layout, write_kitti_layout, write_voc_layout, write_yolo_layout
from data.lanes.lane_layouts import write_culane_layout
from data.miniature import write_class_split, write_split

COMMANDS = commands()
PAGES = list(dict.fromkeys(where.partition(":")[0] for where, _ in COMMANDS))
NETWORK = """
from torch import nn


def build(classes: int, width: int = 16) -> nn.Module:
    return nn.Sequential(nn.Conv2d(3, width, 3, stride=2, padding=1), nn.ReLU(), nn.Conv2d(width, classes, 1))
"""

# As the page on detection shows it.
DETECTOR = next(block.code for block in blocks() if "\ndef dots(" in block.code)


@pytest.fixture
def workplace(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for root, classes in (("DIR", 3), ("data", 3), ("camvid", 12)):
        # One page keeps 100 labels of DIR.
        for split, count in (("train", 101 if root == "DIR" else 4), ("val", 4)):
            write_split(tmp_path / root, split, count, size=(32, 48), classes=classes)
    for split in ("train", "val"):
        write_class_split(tmp_path / "flowers", split)
    write_culane_layout(tmp_path / "culane")
    for root in ("BCCD", "DIR"):
        write_voc_layout(tmp_path / root)
    for write in (write_coco_layout, write_kitti_layout, write_yolo_layout):
        write(tmp_path / write.__name__.split("_")[1])
    shutil.copytree(tmp_path / "DIR" / "val" / "images", tmp_path / "PHOTOS")
    (tmp_path / "mynets.py").write_text(NETWORK)
    (tmp_path / "my_detectors.py").write_text(DETECTOR)
    monkeypatch.syspath_prepend(tmp_path)
    for module in ("mynets", "my_detectors"):
        monkeypatch.delitem(sys.modules, module, raising=False)
    monkeypatch.chdir(tmp_path)


def shrunk(words: list[str]) -> list[str]:
    """The command as small as it can be, and free to write where another command of the page has written."""
    if "--help" in words:
        return words
    if "--labels" in words:
        # A folder of the workplace holds fewer images than a real one.
        place = words.index("--labels") + 1
        words = [*words[:place], str(min(int(words[place]), 8)), *words[place + 1 :]]
    small = {"train": ["--smoke", "--device", "cpu"], "demo": ["--smoke", "--seeds", "0"]}.get(words[0], [])
    writes = words[0] in ("train", "demo", "compare", "predict") and not {"--resume", "--overwrite"} & set(words)
    return [*words, *small, *(["--overwrite"] if writes else [])]


def provide_runs(words: list[str], teacher: Path) -> None:
    """Make sure that the runs exist that a command begins from, with the classes of its data."""
    for option, name in pairwise(words):
        if option not in ("--teacher", "--student") or not name.startswith("runs/") or Path(name).exists():
            continue
        if "--data" in words:
            shutil.copytree(teacher, name)
        else:
            assert pupil("train", "segmentation", "--smoke", "--device", "cpu", "--out", name).code == 0


@pytest.mark.slow
@pytest.mark.usefixtures("workplace")
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run(page: str, teacher: Path) -> None:
    for where, words in COMMANDS:
        if not where.startswith(f"{page}:"):
            continue
        provide_runs(words, teacher)
        ended = pupil(*shrunk(words))
        assert ended.code == 0, f"{where}: pupil {' '.join(words)}: {ended.err}"


def test_shrunk_commands_overwrite_unless_they_go_on() -> None:
    assert shrunk(["train", "segmentation"])[2:] == ["--smoke", "--device", "cpu", "--overwrite"]
    assert shrunk(["train", "segmentation", "--resume"])[3:] == ["--smoke", "--device", "cpu"]
    assert shrunk(["layers", "pupil:tiny"]) == ["layers", "pupil:tiny"]
