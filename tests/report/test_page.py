from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
import torch

from pupil.errors import UsageError
from pupil.report.page import typeset, write_report

VOID = {"meta", "img", "br", "link", "input", "hr"}


class Page(HTMLParser):
    """Reads a page and holds it to being well formed: every element is closed, in order."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.attributes: list[tuple[str, str, str]] = []
        self.rows: list[list[str]] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]
        if tag == "tr":
            self.rows.append([])
        if tag in {"td", "th"}:
            self.rows[-1].append("")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        self.attributes += [(tag, name, value or "") for name, value in attrs]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if "style" in self.open:
            return
        self.words.append(data)
        if self.open and {"td", "th"} & set(self.open):
            self.rows[-1][-1] += data.strip()

    @property
    def text(self) -> str:
        return " ".join(" ".join(self.words).split())


def scene(*names: str) -> dict[str, torch.Tensor]:
    return {name: torch.full((3, 4, 6), index, dtype=torch.uint8) for index, name in enumerate(names)}


@pytest.fixture
def report(tmp_path: Path, comparison: list[dict[str, Any]], logs: list[Any]) -> str:
    path = tmp_path / "new folder" / "report.html"
    write_report(
        path,
        title="Demo",
        lead="Three ways to train one network.",
        summaries=comparison,
        curves=logs,
        pictures=[scene("image", "labels", "teacher", "none", "aicsd")] * 2,
        legend={"road": (128, 64, 128), "car": (0, 0, 142)},
        notes=["Every network is trained from scratch."],
        commands=["pupil demo --seeds '0 1 2'"],
    )
    return path.read_text(encoding="utf-8")


def test_the_page_says_what_came_out(report: str) -> None:
    page = Page(report)
    assert "aicsd: +3.0 points over the student alone" in page.text
    assert "Every network is trained from scratch." in page.text
    assert "pupil demo --seeds '0 1 2'" in page.text


def test_the_table_shows_gains_and_misses(report: str) -> None:
    rows = Page(report).rows
    assert ["aicsd", "65.0 ± 3.0", "+3.0 ± 1.0", "", "25 k", "1.25", "400", "20.0", "3"] in rows
    assert ["kd", "61.0 ± 2.0", "−1.0 ± 2.0", "", "25 k", "1.25", "400", "20.0", "3"] in rows


def test_classes_of_teacher_alone_and_best(report: str) -> None:
    rows = Page(report).rows
    assert ["class", "teacher", "none", "aicsd", "change", ""] in rows
    assert ["road", "90.0", "72.0", "75.0", "+3.0", ""] in rows


def test_a_class_that_only_one_row_counts_is_shown_without_a_gain(
    tmp_path: Path, summary: Callable[..., dict[str, Any]]
) -> None:
    alone, best = summary("none", 0, 0.5), summary("kd", 0, 0.6)
    alone["metrics"] = {"miou": 0.5, "iou/road": 0.5, "iou/tram": 0.0}
    best["metrics"] = {"miou": 0.6, "iou/road": 0.75, "iou/boat": 0.25}
    path = tmp_path / "report.html"
    write_report(path, title="t", lead="l", summaries=[alone, best])
    rows = Page(path.read_text(encoding="utf-8")).rows
    assert ["road", "50.0", "75.0", "+25.0", ""] in rows
    assert ["boat", "–", "25.0", "–", ""] in rows
    assert ["tram", "0.0", "–", "–", ""] in rows


def test_values_and_gains_of_every_seed(report: str) -> None:
    rows = Page(report).rows
    assert ["kd", "59.0−1.0", "63.0+1.0", "61.0−3.0"] in rows
    assert ["none-seconds", "––", "63.0+1.0", "––"] in rows


def test_it_needs_nothing_beside_it(report: str) -> None:
    page = Page(report)
    links = [(tag, value) for tag, name, value in page.attributes if name in {"src", "href", "xlink:href", "srcset"}]
    assert links
    assert all(value.startswith(("data:", "#")) for _, value in links)
    assert not {"script", "link", "iframe", "object"} & set(page.tags)
    assert "@import" not in report
    assert re.findall(r"url\((?!#)", report) == []


def test_pictures_are_named_and_ids_are_unique(report: str) -> None:
    page = Page(report)
    assert page.tags["img"] == 10
    assert sum(tag == "img" and name == "alt" and bool(value) for tag, name, value in page.attributes) == 10
    assert ("img", "alt", "scene 2: aicsd") in page.attributes
    ids = Counter(value for _, name, value in page.attributes if name == "id")
    assert max(ids.values()) == 1
    assert page.tags["svg"] == 3  # the mark, the scores, the terms


def test_every_text_is_escaped(tmp_path: Path, summary: Callable[..., dict[str, Any]]) -> None:
    evil = '<script>alert("1")</script>&'
    run = summary(evil, 0, 0.5, data=evil, version=evil, student={"name": evil, "parameters": 1})
    run["metrics"] = {f"iou/{evil}": 0.5}
    rows = [{"step": 1, "terms": {evil: 1.0}}, {"step": 9, "metrics": {"miou": 0.5}}]
    path = tmp_path / "report.html"
    write_report(
        path, title=evil, lead=evil, summaries=[run], curves=[rows], pictures=[scene(evil)],
        legend={evil: (1, 2, 3)}, notes=[evil], commands=[evil],
    )  # fmt: skip
    text = path.read_text(encoding="utf-8")
    page = Page(text)
    assert "script" not in page.tags
    assert page.text.count(evil) >= 10


@pytest.mark.parametrize("method", ["none", "kd"])
@pytest.mark.parametrize("role", ["teacher", "student"])
def test_one_bare_run_is_enough(tmp_path: Path, summary: Callable[..., dict[str, Any]], method: str, role: str) -> None:
    path = tmp_path / "report.html"
    run = summary(method, 0, 0.5, role=role, metrics={"miou": 0.5})
    write_report(path, title="t", lead="l", summaries=[run])
    page = Page(path.read_text(encoding="utf-8"))
    assert "50.0" in page.text
    assert page.tags["svg"] == 1
    assert page.tags["img"] == 0


def test_a_teacher_is_drawn_as_a_curve_only_where_it_is_alone(
    tmp_path: Path, summary: Callable[..., dict[str, Any]]
) -> None:
    path = tmp_path / "report.html"
    rows = [{"step": 5, "metrics": {"miou": 0.4}}, {"step": 9, "metrics": {"miou": 0.5}}]
    write_report(path, title="t", lead="l", summaries=[summary("none", 0, 0.5, role="teacher")], curves=[rows])
    assert "50.0 teacher" in Page(path.read_text(encoding="utf-8")).text


def test_curves_must_match_the_summaries(tmp_path: Path, comparison: list[dict[str, Any]]) -> None:
    with pytest.raises(UsageError, match="expected curves for each of 11 summaries, got 1"):
        write_report(tmp_path / "r.html", title="t", lead="l", summaries=comparison, curves=[[]])
    assert not (tmp_path / "r.html").exists()


def test_the_same_data_give_the_same_page(tmp_path: Path, comparison: list[dict[str, Any]], logs: list[Any]) -> None:
    pages = []
    for name in ("one", "two"):
        write_report(tmp_path / name, title="t", lead="l", summaries=comparison, curves=logs)
        pages.append((tmp_path / name).read_bytes())
    assert pages[0] == pages[1]


def test_a_hyphen_stays_a_hyphen() -> None:
    assert typeset("none-seconds-2 is at -0.4 ± 1.0") == "none-seconds-2 is at −0.4 ± 1.0"
