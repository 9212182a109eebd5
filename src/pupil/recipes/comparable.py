"""Which finished runs may stand in one table: equal data, one student, one run for each method and seed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from pupil.engine.options import flag
from pupil.errors import UsageError, listed
from pupil.recipes.training import HOW
from pupil.run import Run

# What a score rests on beside the network: entries of run.json.
MEASURE = ("recipe", "data", "classes", "ignore_index", "size")
# Options that a comparison is about, or that are compared elsewhere.
COMPARED = HOW | {"method", "settings", "seed", "data"}


def comparable(folders: Sequence[str | Path]) -> list[tuple[dict[str, Any], Run]]:
    """One (summary, run) a folder, the teachers first; a run that another one learned from has the role "teacher".

    Args:
        folders: of the runs; NAME=FOLDER calls a run by another name than its method's, so that runs of one method
            that differ in their options can stand side by side.

    Raises:
        UsageError: for fewer than two runs, a folder that is no run or comes twice, a run that has not ended, other
            data, classes or metrics, two runs of one method and seed, and students that are different networks.
    """
    if len(folders) < 2:
        raise UsageError(f"expected two runs or more to compare, got {len(folders)}: name their folders")
    named = [_named(folder) for folder in folders]
    runs = [Run(folder) for _, folder in named]
    places = [_place(run.folder) for run in runs]
    for index, run in enumerate(runs):
        if places[index] in places[:index]:
            raise UsageError(f"expected each run once, got {str(run.folder)!r} twice: leave one out")
    summaries = [
        {**_ended(run), **({"method": name} if name else {})} for (name, _), run in zip(named, runs, strict=True)
    ]
    for summary, run in zip(summaries, runs, strict=True):
        _check_same_measure((summaries[0], runs[0]), (summary, run))
    teachers = {_place(summary["teacher"]["name"]) for summary in summaries if summary["teacher"]}
    rows = [
        ({**summary, "role": "teacher"} if place in teachers else summary, run)
        for summary, run, place in zip(summaries, runs, places, strict=True)
    ]
    _check_students([row for row in rows if row[0]["role"] == "student"])
    return sorted(rows, key=lambda row: row[0]["role"] != "teacher")


def differences(runs: Iterable[Run]) -> list[str]:
    """The options, beside method and seed, in which runs differ: what else a gain may come from.

    Returns:
        For example ["--steps 500 and 800"].
    """
    seen: dict[str, list[str]] = {}
    for run in runs:
        for name, value in run.record["options"].items():
            # The student alone needs no teacher.
            if name in COMPARED or (name == "teacher" and value is None):
                continue
            text = _place(value) if name == "teacher" else str(value)
            if text not in seen.setdefault(name, []):
                seen[name].append(text)
    return [f"--{flag(name)} {' and '.join(texts)}" for name, texts in seen.items() if len(texts) > 1]


def _named(folder: str | Path) -> tuple[str, str | Path]:
    """The name of a row, empty for the method's own, and the folder of its run."""
    name, equals, path = str(folder).partition("=")
    return (name, path) if equals and name and not Path(folder).exists() else ("", folder)


def _ended(run: Run) -> dict[str, Any]:
    if run.summary is None:
        raise UsageError(
            f"expected runs that have ended, got {str(run.folder)!r}: repeat its command with --resume, or leave it out"
        )
    return run.summary


def _check_same_measure(first: tuple[dict[str, Any], Run], other: tuple[dict[str, Any], Run]) -> None:
    names = [*MEASURE, *(["scene_size"] if first[1].record["data"] == "drawn" else [])]
    pairs = {name: (first[1].record.get(name), other[1].record.get(name)) for name in names}
    pairs["data"] = (_place(first[1].record["data"]), _place(other[1].record["data"]))
    pairs["metric"] = (first[0]["metric"], other[0]["metric"])
    for name, (ours, theirs) in pairs.items():
        if ours != theirs:
            ours, theirs = (listed(each) if isinstance(each, list) else each for each in (ours, theirs))
            raise UsageError(
                f"expected runs of equal {name}, got {ours} in {str(first[1].folder)!r} and {theirs} in "
                f"{str(other[1].folder)!r}: compare them apart"
            )


def _check_students(rows: Sequence[tuple[dict[str, Any], Run]]) -> None:
    """One network, and one run for each method and seed."""
    networks: dict[str, Run] = {}
    runs: dict[tuple[str, int], Run] = {}
    for summary, run in rows:
        networks.setdefault(f"{summary['student']['name']} ({summary['student']['parameters']} parameters)", run)
        twin = runs.setdefault((summary["method"], summary["seed"]), run)
        if twin is not run:
            raise UsageError(
                f"expected one run of method {summary['method']!r} with seed {summary['seed']}, got "
                f"{str(twin.folder)!r} and {str(run.folder)!r}{_unlike(twin, run)}: leave one out, "
                f"or name one as NAME={run.folder}"
            )
    if len(networks) > 1:
        (ours, first), (theirs, other) = list(networks.items())[:2]
        raise UsageError(
            f"expected runs of one student, got {ours} in {str(first.folder)!r} and {theirs} in {str(other.folder)!r}: "
            "leave one out"
        )


def _unlike(run: Run, twin: Run) -> str:
    """How two runs of one method and seed differ, as the end of a sentence."""
    settings = [" ".join(f"--set {each}" for each in one.record["options"]["settings"]) for one in (run, twin)]
    found = differences([run, twin])
    if settings[0] != settings[1]:
        found.append(" and ".join(each or "no --set" for each in settings))
    return f", which differ in {', '.join(found)}" if found else ""


def _place(spec: str | Path) -> str:
    """A path in one spelling; what is no path, such as drawn scenes or code, as it is."""
    return str(Path(spec).resolve()) if Path(spec).exists() else str(spec)
