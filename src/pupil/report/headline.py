"""The result in a sentence, made from the numbers: a gain is called one only where it is one."""

from __future__ import annotations

from pupil.numbers import Measure, amount, plain, points
from pupil.report.rows import CONTROL, Row
from pupil.report.table import Table


def headline(table: Table) -> str:
    """What came out, in the words of a title.

    It is the best method's mean gain over the same student alone; "no gain" where that is not positive; "within the
    spread of the seeds" where it is not larger than its own standard deviation; the bare score where no control stands
    beside it.
    """
    row = table.best
    if row is None:
        last = table.rows[-1]
        return f"{'The teacher' if last.role == 'teacher' else 'The student alone'}: {_score(last, table)}"
    if row.gain is None:
        return f"{row.label}: {_score(row, table)}"
    gain = points(row.gain.mean, signed=True)
    if not gain.startswith("+"):
        return f"No gain: {row.label} is at {gain} points against the student alone"
    sentence = f"{row.label}: {gain} points over the student alone"
    if row.gain.count == 1:
        return f"{sentence}, with one seed"
    return sentence if row.gain.is_clear else f"{sentence}, within the spread of the seeds"


def evidence(table: Table) -> list[str]:
    """What the headline rests on: short sentences, each a fact of the table."""
    row = table.best
    if row is None:
        return []
    if row.gain is None:
        return [
            f"No student alone (method {CONTROL}) with the same seed stands beside it, so this page claims no gain: "
            f"train it with --method {CONTROL} and use `pupil compare`."
        ]
    sentences = [_seeds(row.gain, sum(gain > 0 for gain in row.gains.values()))]
    controls = [each for each in table.rows if each.is_control and each.gain is not None]
    if controls:
        gains = " and ".join(f"{each.label} {each.gain.points(signed=True)}" for each in controls if each.gain)
        ahead = any(each.gain.mean > row.gain.mean for each in controls if each.gain)
        sentences.append(f"Without any distillation, {gains}{': more than that' if ahead else ''}.")
    closed = gap_closed(table)
    if closed is not None and closed > 0:
        sentences.append(f"This closes {closed:.0%} of the gap to the teacher.")
    methods = sum(not each.is_control and each.gain is not None for each in table.rows)
    if methods > 1:
        sentences.append(f"{row.label} is the best of the {methods} methods compared here.")
    return sentences


def doubts(table: Table) -> list[str]:
    """What a reader should know before the numbers are believed."""
    row = table.best
    if row is None or row.alone is None:
        return []
    return [
        f"The {each.label} ({points(each.value.mean)}) is not ahead of the student alone ({points(row.alone.mean)}): "
        "a gain here is not its knowledge. Train it longer, or take a larger one."
        for each in table.rows
        if each.role == "teacher" and each.value.mean <= row.alone.mean
    ]


def facts(table: Table) -> list[tuple[str, str]]:
    """The numbers to see first, each with what it is."""
    row = table.best or table.rows[-1]
    found = [(points(row.value.mean), f"{table.metric} of {row.label}")]
    if row.alone is not None:
        found.append((points(row.alone.mean), f"{table.metric} of the student alone"))
    teachers = [each for each in table.rows if each.role == "teacher"]
    if row.role == "teacher" or len(teachers) != 1:
        found.append((amount(row.parameters), "parameters"))
        return found
    teacher = teachers[0]
    found.append((points(teacher.value.mean), f"{table.metric} of the teacher"))
    smaller = teacher.parameters / max(row.parameters, 1)
    found.append((_times(smaller), f"smaller: {amount(row.parameters)} parameters for {amount(teacher.parameters)}"))
    if row.milliseconds and teacher.milliseconds:
        faster = teacher.milliseconds / row.milliseconds
        times = f"{plain(row.milliseconds)} ms an image for {plain(teacher.milliseconds)} ms"
        found.append((_times(faster), f"faster: {times}"))
    return found


def gap_closed(table: Table) -> float | None:
    """How much of the way from the student alone to the only teacher the best method went; None where it is unknown."""
    row = table.best
    teachers = [each.value.mean for each in table.rows if each.role == "teacher"]
    if row is None or row.gain is None or row.alone is None or len(teachers) != 1:
        return None
    missing = teachers[0] - row.alone.mean
    return row.gain.mean / missing if missing > 0 else None


def _score(row: Row, table: Table) -> str:
    return f"{row.value.points()} {table.metric}"


def _times(ratio: float) -> str:
    return f"{ratio:.0f}×" if ratio >= 10 else f"{ratio:.1f}×"


def _seeds(gain: Measure, ahead: int) -> str:
    if gain.spread is None:
        return "One seed: a hint, not a result."
    agreeing = "all" if ahead == gain.count else str(ahead)
    return f"Mean of {gain.count} paired seeds, {agreeing} of them ahead; spread {points(gain.spread)}."
