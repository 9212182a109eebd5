"""The format of a run folder: what a training leaves behind, written and read in one place.

run.json               the record: model, task, classes, preprocessing, options, teacher; enough to rebuild
summary.json           one row of a results table
metrics.jsonl          one JSON object a line: terms and learning rate, or scores, at a step
student.safetensors    the student alone, the last one; loads with strict=True into the bare model
best.safetensors       the student at its best validation score
report.html            the same for the eye
checkpoint/            what resuming needs

A run that is being replaced lies beside it, in FOLDER.replaced, until the new one has ended.
"""

from __future__ import annotations

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self

from pupil.errors import UsageError

if TYPE_CHECKING:
    from torch import Tensor

FORMAT = 1


class Run:
    """A run folder; reading needs nothing but the folder.

    Args:
        folder: an existing run folder, see :meth:`create` for a new one.
        writes: whether this object writes; where several processes train one student, only one does.

    Raises:
        UsageError: if the folder is absent, is not a run, or was written by a later format.
    """

    def __init__(self, folder: str | Path, *, writes: bool = True) -> None:
        self.folder = Path(folder)
        self.writes = writes
        if not self.folder.is_dir():
            raise UsageError(f"expected a run folder, got {str(folder)!r}, which does not exist: check the path")
        path = self.folder / "run.json"
        if not path.is_file():
            raise UsageError(
                f"expected a run folder, got {str(folder)!r} without run.json: name a folder made by pupil"
            )
        self.record: dict[str, Any] = _read_json(path)
        if self.record.get("format") != FORMAT:
            found = self.record.get("format")
            raise UsageError(f"expected run format {FORMAT}, got {found} in {path}: use the version that wrote it")

    @classmethod
    def check_free(cls, folder: str | Path, *, overwrite: bool = False, resume: bool = False) -> None:
        """Refuse a folder that holds something, before any work is done for it.

        Raises:
            UsageError: for a run folder without `overwrite` or `resume`, and for any other folder with content.
        """
        folder = Path(folder)
        if folder.name in ("", ".."):
            raise UsageError(f"expected a folder with a name of its own, got {str(folder)!r}: choose another --out")
        if folder.exists() and not folder.is_dir():
            raise UsageError(f"expected a folder to write to, got the file {str(folder)!r}: choose another --out")
        # A process killed while it began a run leaves a record that nobody reads.
        if not folder.is_dir() or all(each == _beside(folder / "run.json") for each in folder.iterdir()):
            return
        if not (folder / "run.json").is_file():
            raise UsageError(
                f"expected an empty or new folder, got {str(folder)!r} with files that are no run: choose another --out"
            )
        if not (overwrite or resume):
            raise UsageError(f"{str(folder)!r} holds a run already: pass --resume, --overwrite or another --out")

    @classmethod
    def create(cls, folder: str | Path, record: Mapping[str, Any], *, overwrite: bool = False) -> Self:
        """Make a run folder; an earlier run in it is set aside, only if `overwrite` says so."""
        folder = Path(folder)
        cls.check_free(folder, overwrite=overwrite)
        cls.check_free(aside(folder), overwrite=overwrite)
        if (folder / "run.json").is_file():
            _set_aside(folder)
        folder.mkdir(parents=True, exist_ok=True)
        write_json(folder / "run.json", {"format": FORMAT, **record})
        return cls(folder)

    @property
    def replaced(self) -> Path | None:
        """Where the run lies that this one replaces, or None if there is none."""
        path = aside(self.folder)
        return path if (path / "run.json").is_file() else None

    def restore_replaced(self) -> None:
        """Remove this run and put the one that it was to replace back into its place."""
        shutil.rmtree(self.folder)
        aside(self.folder).rename(self.folder)

    def remove_replaced(self) -> None:
        """Remove the run that this one replaces, if there is one: this one has ended."""
        if self.replaced:
            shutil.rmtree(self.replaced)

    @property
    def summary(self) -> dict[str, Any] | None:
        """The row of a results table, or None while the run has not ended."""
        path = self.folder / "summary.json"
        return _read_json(path) if path.is_file() else None

    def rebuildable(self) -> dict[str, Any]:
        """The record, once it is known to say what the network and its classes are.

        Raises:
            UsageError: for a run that no recipe wrote, such as one of a `Trainer` of the reader's own.
        """
        if not {"model", "classes"} <= self.record.keys():
            raise UsageError(
                f"expected a run that names its network and classes, as `pupil train` writes it, got "
                f"{str(self.folder)!r} without: load its student.safetensors into your own network"
            )
        return self.record

    @property
    def metrics(self) -> list[dict[str, Any]]:
        """Every logged row, in order; a last row that a crash cut off is left out."""
        path = self.folder / "metrics.jsonl"
        if not path.is_file():
            return []
        whole, _, _ = path.read_text().rpartition("\n")
        return [_parsed(line, path) for line in whole.splitlines()]

    def update(self, **entries: Any) -> None:
        """Add entries to run.json."""
        self.record.update(entries)
        if self.writes:
            write_json(self.folder / "run.json", self.record)

    def log(self, row: Mapping[str, Any]) -> None:
        """Append one row to metrics.jsonl."""
        if not self.writes:
            return
        with (self.folder / "metrics.jsonl").open("a") as lines:
            lines.write(json.dumps(row) + "\n")

    def cut_metrics(self, step: int) -> None:
        """Drop the rows after a step, so that a resumed run repeats none."""
        if not self.writes:
            return
        kept = [json.dumps(row) + "\n" for row in self.metrics if row["step"] <= step]
        _write_text(self.folder / "metrics.jsonl", "".join(kept))

    def finish(self, summary: Mapping[str, Any]) -> None:
        """Write summary.json: the run has ended."""
        if self.writes:
            write_json(self.folder / "summary.json", summary)

    def save_weights(self, weights: Mapping[str, Tensor], name: str = "student") -> None:
        """Write a network's weights as NAME.safetensors."""
        if not self.writes:
            return
        from safetensors.torch import save_file

        path = self.folder / f"{name}.safetensors"
        # Tied weights share memory, which the format refuses: each entry is written on its own.
        save_file({key: value.detach().cpu().clone().contiguous() for key, value in weights.items()}, _beside(path))
        os.replace(_beside(path), path)

    def load_weights(self, name: str = "student") -> dict[str, Tensor]:
        """Read the weights that :meth:`save_weights` wrote."""
        from safetensors import SafetensorError
        from safetensors.torch import load_file

        path = self.folder / f"{name}.safetensors"
        if not path.is_file():
            raise UsageError(f"expected weights at {str(path)!r}, got none: did this run end?")
        try:
            return load_file(path)
        except SafetensorError as error:
            raise UsageError(
                f"expected safetensors in {str(path)!r}, got a broken file ({error}): train again"
            ) from None

    def weights_hash(self, name: str = "student") -> str:
        """SHA-256 of a weights file: which teacher a student had."""
        return hashlib.sha256((self.folder / f"{name}.safetensors").read_bytes()).hexdigest()


def aside(folder: Path) -> Path:
    """Where a run waits while another is written in its place."""
    return folder.with_name(folder.name + ".replaced")


def write_json(path: Path, content: Mapping[str, Any]) -> None:
    """Write a JSON file in one piece: a reader sees the old content or the new."""
    _write_text(path, json.dumps(content, indent=2) + "\n")


def _set_aside(folder: Path) -> None:
    earlier = aside(folder)
    if (earlier / "run.json").is_file() and not (folder / "summary.json").is_file():
        # A replacement that never ended: what it was to replace is worth more.
        shutil.rmtree(folder)
        return
    if earlier.is_dir():
        shutil.rmtree(earlier)
    folder.rename(earlier)


def _write_text(path: Path, text: str) -> None:
    _beside(path).write_text(text)
    os.replace(_beside(path), path)


def _beside(path: Path) -> Path:
    return path.with_name(path.name + ".partial")


def _read_json(path: Path) -> dict[str, Any]:
    return _parsed(path.read_bytes(), path)


def _parsed(text: str | bytes, path: Path) -> dict[str, Any]:
    try:
        content = json.loads(text)
    except (json.JSONDecodeError, UnicodeDecodeError) as error:
        raise UsageError(f"expected JSON in {str(path)!r}, got a broken file ({error}): restore or remove it") from None
    if not isinstance(content, dict):
        raise UsageError(f"expected a JSON object in {str(path)!r}, got {type(content).__name__}: restore or remove it")
    return content
