"""A matplotlib figure as SVG to stand inside a page: it takes the page's font and its ink."""

from __future__ import annotations

import io
import re
from typing import TYPE_CHECKING

from pupil.report.colours import INK, as_variable

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def inline_svg(figure: Figure, name: str, description: str) -> str:
    """The figure as one `<svg>` element, the same for the same figure.

    Ink becomes the colour of the text around it, and every other colour of a report a variable of the page with
    itself as the fallback, so one picture serves a light page and a dark one.

    Args:
        figure: drawn with the colours of :mod:`pupil.report.colours`.
        name: unlike that of any other figure on the page, so that no two elements share an id.
        description: what a reader who cannot see it should know.
    """
    import matplotlib

    file = io.StringIO()
    with matplotlib.rc_context({"svg.fonttype": "none", "svg.hashsalt": name}):
        figure.savefig(
            file, format="svg", transparent=True, metadata=dict.fromkeys(("Creator", "Date", "Format", "Type"))
        )
    text = file.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<defs>\s*<style.*?</defs>", "", text, flags=re.DOTALL)
    text = re.sub(r"font-family: [^;\"]+;? ?", "", text)
    used = set(re.findall(r'(?:url\(#|href="#)([^)"]+)', text))
    text = re.sub(r' id="([^"]+)"', lambda found: found[0] if found[1] in used else "", text)
    text = text.replace(INK, "currentColor")
    text = re.sub(r"(?<=: )#[0-9a-f]{6}", lambda found: as_variable(found[0]), text)
    box = re.search(r'viewBox="[^"]+"', text)
    label = description.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;")
    opening = (
        f'<svg {box[0] if box else ""} role="img" aria-label="{label}" xmlns:xlink="http://www.w3.org/1999/xlink">'
    )
    return re.sub(r"<svg[^>]*>", lambda _: opening, text, count=1).strip()
