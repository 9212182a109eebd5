from __future__ import annotations

import re
from xml.etree import ElementTree

from matplotlib.figure import Figure

from pupil.report.svg import inline_svg


def drawn(name: str) -> str:
    figure = Figure(figsize=(2, 1))
    figure.subplots().fill_between([0, 1], [0, 1], [1, 2], color="#2f62d9")
    return inline_svg(figure, name, 'a "chart" <of> A & B')


def test_it_is_one_element_that_scales() -> None:
    root = ElementTree.fromstring(drawn("one"))
    assert root.tag == "svg"
    assert root.attrib["viewBox"] == "0 0 144 72"
    assert root.attrib["aria-label"] == 'a "chart" <of> A & B'
    assert "width" not in root.attrib


def test_two_figures_share_no_id_and_miss_none() -> None:
    pages = [drawn("one"), drawn("two")]
    ids = [set(re.findall(r' id="([^"]+)"', page)) for page in pages]
    assert ids[0]
    assert not ids[0] & ids[1]
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', pages[0])) == ids[0]


def test_no_style_leaks_into_the_page() -> None:
    assert "<style" not in drawn("one")
    assert "<metadata" not in drawn("one")
