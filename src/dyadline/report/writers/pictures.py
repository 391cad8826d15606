"""Figures as pictures; no address is ever loaded."""

from __future__ import annotations

from dyadline.report.document import Figure

DPI = 300
"""Of bitmaps, as journals ask."""


def svg(figure: Figure) -> str:
    """As SVG text."""
    from vl_convert import vegalite_to_svg

    return str(vegalite_to_svg(dict(figure.spec), allowed_base_urls=[]))


def png(figure: Figure) -> bytes:
    """As a bitmap of 300 dots per inch on white."""
    from vl_convert import vegalite_to_png

    spec = {**figure.spec, "background": "white"}
    return bytes(vegalite_to_png(spec, ppi=DPI, scale=1, allowed_base_urls=[]))


def pdf(figure: Figure) -> bytes:
    """As one PDF page of the figure's size."""
    from vl_convert import vegalite_to_pdf

    return bytes(vegalite_to_pdf(dict(figure.spec), allowed_base_urls=[]))
