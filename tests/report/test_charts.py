from __future__ import annotations

import re
from itertools import pairwise
from xml.etree import ElementTree

import pytest

from pupil.report.charts import score_chart, spread_out, term_chart
from pupil.report.curves import Curve

RUNS = [[(50, 0.5), (100, 0.6)], [(50, 0.5), (100, 0.62)]]


def texts(svg: str) -> list[str]:
    return [element.text or "" for element in ElementTree.fromstring(svg).iter() if element.tag.endswith("text")]


def test_every_line_carries_its_name_and_last_mean() -> None:
    chart = score_chart([Curve("kd <b>$x$", "#2f62d9", RUNS), Curve("teacher", "#1c2230", level=0.8)], "mIoU")
    assert "61.0  kd <b>$x$" in texts(chart)
    assert "80.0  teacher" in texts(chart)
    assert "mIoU in points" in texts(chart)


def test_names_do_not_overlap() -> None:
    curves = [Curve(f"method {index}", "#2f62d9", RUNS) for index in range(8)]
    chart = ElementTree.fromstring(score_chart(curves, "mIoU"))
    heights = sorted(float(each.attrib["y"]) for each in chart.iter() if "method" in (each.text or ""))
    assert len(heights) == 8
    assert min(after - before for before, after in pairwise(heights)) > 10  # the font's size


def test_the_same_curves_give_the_same_chart() -> None:
    curves = [Curve("kd", "#2f62d9", RUNS)]
    assert score_chart(curves, "mIoU") == score_chart(curves, "mIoU")


def test_every_term_has_a_panel() -> None:
    names = ["task", "icsd", "kd", "hint"]
    rows = [{"step": step, "terms": dict.fromkeys(names, 1.0 / (step + 1))} for step in range(0, 100, 10)]
    assert set(names) <= set(texts(term_chart(rows)))


def test_charts_take_the_ink_and_the_font_of_the_page() -> None:
    chart = score_chart([Curve("kd", "#2f62d9", RUNS)], "mIoU")
    assert "currentColor" in chart
    assert "var(--c-2f62d9, #2f62d9)" in chart
    assert "font-family" not in chart
    assert not re.findall(r"#1c2230|#000000|#ffffff", chart)


@pytest.mark.parametrize("heights", [[1.0, 1.0, 1.0], [3.0, 1.0, 2.9], [0.0, 0.9, 1.8, 2.7], [5.0]])
def test_labels_move_apart_and_keep_their_order(heights: list[float]) -> None:
    moved = spread_out(heights, gap=1.0)
    ordered = sorted(moved)
    assert all(after - before >= 1.0 - 1e-9 for before, after in pairwise(ordered))
    assert sum(moved) == pytest.approx(sum(heights))
    assert sorted(range(len(heights)), key=moved.__getitem__) == sorted(range(len(heights)), key=heights.__getitem__)
