"""Figures as pictures; no address is ever loaded.

Vega draws each figure once, as SVG, and the other kinds are made from that, so that all show the same. Type is
Liberation Sans, which lies inside vl-convert: a label is as wide on every machine. In a viewer of SVG without that
font Arial and Helvetica take its place; their letters have the same widths.
"""

from __future__ import annotations

import json
import re
from functools import lru_cache
from typing import Any

from dyadline.report.document import Figure

DPI = 300
"""Of bitmaps, as journals ask."""

TALLEST = 340.0
"""Points that a figure may be high on paper."""

POINT = 0.75
"""Points in a pixel, the unit of a drawing."""

FONT = "Liberation Sans, Arial, Helvetica, sans-serif"

_SIZE = re.compile(r'<svg [^>]*?\bwidth="([\d.]+)" height="([\d.]+)"')
_PATH = re.compile(r"<path [^>]*>")
_SUSPECT = re.compile(r"\\u00[01]|\\u007f|\\u202[89]|\\ud[89a-f]|\\uff+[ef]|\\[nrtbf]")
_NO_LETTER = re.compile(r"[\x00-\x1f\x7f\u2028\u2029\ud800-\udfff\ufffe\uffff]+")


def svg(figure: Figure) -> str:
    """As SVG text."""
    return _drawn(json.dumps(figure.spec))


def png(figure: Figure, *, scale: float = 1.0) -> bytes:
    """As a bitmap on white, of 300 dots per inch where it is printed at that scale."""
    return _bitmap(svg(figure), DPI * scale)


def printed(figure: Figure, *, width: float) -> tuple[float, float, float]:
    """Size of a figure on paper: never larger than it is drawn, never too tall for a table or text beside it.

    Parameters
    ----------
    figure
        Any figure.
    width
        Of the text, in points.

    Returns
    -------
    Width and height in points, and the scale that makes the figure so large.
    """
    found = _SIZE.search(svg(figure))
    if found is None:
        raise ValueError(f"the drawing of {figure.key!r} has no size")
    wide, high = (POINT * float(length) for length in found.groups())
    scale = min(1.0, width / wide, TALLEST / high)
    return wide * scale, high * scale, scale


def pdf(figure: Figure) -> bytes:
    """As one PDF page of the figure's size."""
    from vl_convert import svg_to_pdf

    return bytes(svg_to_pdf(svg(figure)))


@lru_cache(maxsize=64)
def _bitmap(drawn: str, dots: float) -> bytes:
    from vl_convert import svg_to_png

    start, end, rest = drawn.partition(">")
    white = '<rect width="100%" height="100%" fill="white"/>'
    return bytes(svg_to_png(f"{start}{end}{white}{rest}", ppi=dots, scale=1))


@lru_cache(maxsize=64)
def _drawn(spec: str) -> str:
    """The SVG of a specification; kept, because every format asks for the same figures."""
    from vl_convert import vegalite_to_svg

    read = _clean(json.loads(spec)) if _SUSPECT.search(spec) else json.loads(spec)
    styled = {**read, "config": {**read.get("config", {}), "font": FONT}}
    return _PATH.sub(_flat, str(vegalite_to_svg(styled, allowed_base_urls=[])))


def _clean(part: Any) -> Any:
    """The same with a blank for what is no letter: a line's end stops Vega's parser, a control ends the process."""
    if isinstance(part, dict):
        return {key: _clean(value) for key, value in part.items()}
    if isinstance(part, list):
        return [_clean(value) for value in part]
    return _NO_LETTER.sub(" ", part) if isinstance(part, str) else part


def _flat(path: re.Match[str]) -> str:
    """A see-through line or area without a group of its own, for which a renderer takes the room of the whole page."""
    drawn = path[0]
    painted = [kind for kind in ("stroke", "fill") if f' {kind}="' in drawn and f' {kind}="none"' not in drawn]
    # Where both are painted, the area would be seen through the line.
    return drawn if len(painted) != 1 else drawn.replace(' opacity="', f' {painted[0]}-opacity="')
