"""Equations for Typst: the tree of MathML as data that `report.typ` sets, with no markup between."""

from __future__ import annotations

from typing import Any
from xml.etree import ElementTree
from xml.etree.ElementTree import Element

from dyadline.report.document import Equation
from dyadline.report.writers.mathml import mathml

Node = list[Any]
"""What it is, then its parts: ``["attach", ["letter", "b"], ["number", "0"], None]``."""

_ACCENTS = {"^": "\u0302", "~": "\u0303", "¯": "\u0304", "˙": "\u0307", "¨": "\u0308", "→": "\u20d7"}
_UNDER_THEM = ("min", "max", "lim", "sup", "inf")
"""Names with what they range over set below them."""

_UPRIGHT = ("E",)
"""One letter that is the name of an operator, not a variable."""


def math_tree(equation: Equation) -> Node:
    """An equation as nested lists, ready for JSON.

    Parameters
    ----------
    equation
        In the LaTeX of `model_equations` and `describe_operationalisation`.

    Returns
    -------
    ``["row", [nodes]]``, ``["letter", x]``, ``["number", x]``, ``["text", x]``, ``["sign", x]``,
    ``["name", x, below]`` (an operator's), ``["space", em]``, ``["attach", base, below, above]``,
    ``["accent", base, mark]``, ``["fraction", above, below]``, ``["fence", nodes]``, ``["lines", rows]`` and
    ``["matrix", rows]`` with rows of nodes.

    Raises
    ------
    NotImplementedError
        For MathML that has no such node.
    """
    return _row(ElementTree.fromstring(mathml(equation)))


def _node(element: Element) -> Node:
    tag, text = element.tag.rpartition("}")[2], element.text or ""
    match tag:
        case "math" | "mrow" | "mstyle" | "mtd":
            return _row(element)
        case "mi" | "mo" if len(text) > 1 or (tag == "mo" and text in _UPRIGHT):
            return ["name", text, text in _UNDER_THEM]
        case "mi" | "mo":
            return ["letter" if tag == "mi" else "sign", text]
        case "mn" | "mtext":
            return ["number" if tag == "mn" else "text", text]
        case "mspace":
            return ["space", float(element.attrib["width"].removesuffix("em"))]
        case "mfrac":
            return ["fraction", *map(_node, element)]
        case "msub":
            return ["attach", *map(_node, element), None]
        case "msup":
            base, above = map(_node, element)
            return ["attach", base, None, above]
        case "msubsup":
            return ["attach", *map(_node, element)]
        case "mover" if element[1].text in _ACCENTS:
            return ["accent", _node(element[0]), _ACCENTS[element[1].text or ""]]
        case "mtable":
            rows = [[_node(cell) for cell in row] for row in element]
            return ["lines" if "columnalign" in element[0][0].attrib else "matrix", rows]
    raise NotImplementedError(f"<{tag}>{text} in an equation has no form in Typst yet")


def _row(element: Element) -> Node:
    """Parts side by side; what stands between brackets that grow, as all round a matrix do, is one part with them."""
    children = [child for child in element if len(child) or child.text or child.tag.endswith("mspace")]
    nodes = [_node(child) for child in children]
    while any(kind == "matrix" for kind, *_ in nodes):
        at = next(k for k, (kind, *_) in enumerate(nodes) if kind == "matrix")
        nodes[at - 1 : at + 2] = [["fence", nodes[at - 1 : at + 2]]]
    if len(children) > 2 and all(end.get("fence") == "true" for end in (children[0], children[-1])):
        return ["fence", nodes]
    return nodes[0] if len(nodes) == 1 else ["row", nodes]
