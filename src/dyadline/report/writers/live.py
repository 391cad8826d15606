"""Figures in a page: a drawing that is always there, and what a script needs to bring it to life.

Nothing of the data is ever code: the specification is JSON, its expressions are walked by an interpreter, and the
page's policy lets no script run but those named here by their hashes.
"""

from __future__ import annotations

import json
import re
from base64 import b64encode
from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from html import escape
from importlib.resources import files
from typing import Any

from markupsafe import Markup

from dyadline.report.document import Document, Figure
from dyadline.report.writers import pictures
from dyadline.report.writers.plotted import datasets, fields

_NAMED = re.compile(r"\b(id=\"|href=\"#|url\(#)")
_TAG = re.compile(r"<[^>]+>")
_PLACES = re.compile(r' (?:d|transform|points)="[^"]*"')
_LONG = re.compile(r"(\.\d)\d+")
_ZEROS = re.compile(r"(\.\d*?)0+(?!\d)")
_UNSEEN = re.compile(r'<path[^>]* (?:display="none"|d="M0,0h0v[\d.]+h0Z")[^>]*/>')
_SPARE = re.compile(r' (?:class|role|aria-[a-z]+|pointer-events|font-family)="[^"]*"| (?:opacity|stroke-width)="1"')
_HARMLESS = str.maketrans({"<": r"\u003c", ">": r"\u003e", "&": r"\u0026", "\u2028": r"\u2028", "\u2029": r"\u2029"})


def svg(figure: Figure) -> Markup:
    """A figure as inline SVG: names of its parts unique on the page, nothing in it that is not seen.

    Places are to a tenth of a pixel; what the drawing program writes for itself is left out, a third of the whole.
    It is described by what it stands in, so that a live drawing can take its place.
    """

    def tidy(tag: re.Match[str]) -> str:
        own = _NAMED.sub(lambda m: f"{m[1]}{escape(figure.key)}-", _SPARE.sub("", tag[0]))
        return _PLACES.sub(lambda m: _ZEROS.sub(_without_zeros, _LONG.sub(r"\1", m[0])), own)

    made = _TAG.sub(tidy, _UNSEEN.sub("", pictures.svg(figure)))
    return Markup(made.replace("<svg ", '<svg aria-hidden="true" font-family="sans-serif" ', 1))


def _without_zeros(fraction: re.Match[str]) -> str:
    return "" if fraction[1] == "." else fraction[1]


def plot(figure: Figure) -> Markup:
    """What the script draws, as JSON that cannot end its element: ``spec`` (Vega), ``fields`` of the tooltips."""
    from vl_convert import vegalite_to_vega

    told = [[f.name, f.label, f.kind, f.decimals] for f in fields(figure.spec)]
    spec = vegalite_to_vega(dict(figure.spec))
    drawn = {**spec, "data": [{**data, **_columns(data.get("values"))} for data in spec.get("data", ())]}
    made = {"spec": drawn, "fields": told}
    return Markup(json.dumps(made, ensure_ascii=False, allow_nan=False, separators=(",", ":")).translate(_HARMLESS))


def _columns(rows: Any) -> dict[str, dict[str, list[Any]]]:
    """Rows of the same fields as columns: the page names each field once. Other data stay as they are."""
    if not isinstance(rows, list) or not rows or not all(isinstance(row, dict) for row in rows):
        return {}
    names = list(rows[0])
    if not names or any(list(row) != names for row in rows):
        return {}
    return {"values": {name: [row[name] for row in rows] for name in names}}


def pseudonyms(document: Document) -> list[str]:
    """Dyads that can be highlighted in the document's figures."""
    individual = [figure for figure in document.figures() if figure.individual]
    rows = [row for figure in individual for _, rows in datasets(figure.spec) for row in rows]
    return sorted({str(row["dyad"]) for row in rows if row.get("dyad") is not None})


def scripts(document: Document) -> list[str]:
    """The page's scripts in the order in which they run; Vega only where there is something to draw."""
    return [*(_vega() if any(document.figures()) else ()), source("page.js")]


def policy(style: str, run: Sequence[str]) -> str:
    """The page's content security policy: its own style and scripts by their hashes, and nothing else."""
    rules = (
        "default-src 'none'",
        f"style-src {_hashed(style)}",
        f"script-src {' '.join(_hashed(script) for script in run)}",
        "base-uri 'none'",
        "form-action 'none'",
        "require-trusted-types-for 'script'",
    )
    return "; ".join(rules)


@cache
def source(name: str) -> str:
    """A file that lies beside the writers."""
    return files("dyadline.report.writers").joinpath(name).read_text(encoding="utf-8")


@cache
def _vega() -> tuple[str, ...]:
    """Vega with its licence, which must go where it goes, and the interpreter of its expressions."""
    licences = f"/*!\n{source('vendor/LICENSES.txt')}*/\n"
    return licences + source("vendor/vega.min.js").strip(), source("vendor/vega-interpreter.js")


def _hashed(text: str) -> str:
    return f"'sha256-{b64encode(sha256(text.encode()).digest()).decode()}'"
