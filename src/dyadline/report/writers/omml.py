"""Equations as Office Math, which Word shows and edits natively."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Sequence
from typing import Final
from xml.etree.ElementTree import Element, fromstring
from xml.sax.saxutils import escape, quoteattr

_NAMESPACES = (
    'xmlns:m="http://schemas.openxmlformats.org/officeDocument/2006/math" '
    'xmlns:w="http://schemas.openxmlformats.org/wordprocessingml/2006/main"'
)
_FONT = '<w:rPr><w:rFonts w:ascii="Cambria Math" w:hAnsi="Cambria Math"/></w:rPr>'
_NOTHING = "\u200b"
"""LibreOffice takes an empty cell, and an operator without a left side, for a mistake."""

_CLOSERS = {"(": ")", "[": "]", "{": "}", "|": "|"}
_ACCENTS = {"^": "\u0302", "~": "\u0303", "¯": "\u0305"}
_SUMS = "∑∏∫"
_SCRIPTS = ("msub", "msup", "msubsup", "munder", "mover", "munderover")
_SPACES = ((0.9, "\u2003"), (0.4, "\u2002"), (0.25, "\u2005"), (0.05, "\u2009"))
_LONGEST_TEXT = 32
"""Letters on a line of text in an equation: a longer name is stacked, because equations wrap at operators alone."""


def office_math(mathml: str) -> str:
    """MathML as Office Math.

    Parameters
    ----------
    mathml
        What `mathml` made of an equation, without characters that XML forbids.

    Returns
    -------
    An ``m:oMathPara`` element, set at the left.

    Raises
    ------
    ValueError
        At an element for which there is no rule: nothing of an equation may vanish.

    References
    ----------
    ISO/IEC 29500-1:2016, section 22.1.
    """
    body = _node(fromstring(mathml))
    return (
        f'<m:oMathPara {_NAMESPACES}><m:oMathParaPr><m:jc m:val="left"/></m:oMathParaPr>'
        f"<m:oMath>{body}</m:oMath></m:oMathPara>"
    )


def _name(node: Element) -> str:
    return node.tag.rpartition("}")[2]


def _node(node: Element) -> str:
    rule = _RULES.get(_name(node))
    if rule is None:
        raise ValueError(f"there is no Office Math for <{_name(node)}>")
    return rule(node)


def _row(nodes: Sequence[Element]) -> str:
    """Neighbours: brackets become pairs that grow, a sum takes what follows it."""
    said, at = [], 0
    while at < len(nodes):
        node = nodes[at]
        end = _closing(nodes, at)
        if end is not None:
            said.append(_pair(nodes, at, end))
            at = end
        elif (total := _sum(node, nodes[at + 1 :])) is not None:
            said.append(total)
            break
        else:
            said.append(_node(node))
            if _is_function(node) and at + 1 < len(nodes) and not _opens(nodes[at + 1]):
                said.append(_words("\u2009"))
        at += 1
    return "".join(said)


def _opens(node: Element) -> bool:
    if _name(node) == "mrow" and len(node):
        return _opens(node[0])
    text = node.text or ""
    return _name(node) == "mo" and text in _CLOSERS and (text != "|" or node.get("form") == "prefix")


def _closes(node: Element, opener: Element) -> bool:
    """Whether it is the other bracket, perhaps with an exponent."""
    if _name(node) in ("msub", "msup", "msubsup"):
        return _closes(node[0], opener)
    text = opener.text or ""
    return _name(node) == "mo" and node.text == _CLOSERS[text] and (text != "|" or node.get("form") == "postfix")


def _closing(nodes: Sequence[Element], start: int) -> int | None:
    """Position of the bracket that belongs to the one at the start."""
    opener, depth = nodes[start], 0
    if _name(opener) != "mo" or not _opens(opener):
        return None
    for at in range(start, len(nodes)):
        if _name(nodes[at]) == "mo" and nodes[at].text == opener.text and _opens(nodes[at]):
            depth += 1
        elif _closes(nodes[at], opener):
            depth -= 1
            if not depth:
                return at
    return None


def _pair(nodes: Sequence[Element], start: int, end: int) -> str:
    opener = nodes[start].text or ""
    ends = f"<m:begChr m:val={quoteattr(opener)}/><m:endChr m:val={quoteattr(_CLOSERS[opener])}/>"
    inside = _row(nodes[start + 1 : end])
    pair = f"<m:d><m:dPr>{ends}</m:dPr><m:e>{inside}</m:e></m:d>"
    last = nodes[end]
    return pair if _name(last) == "mo" else _scripted(_name(last), pair, list(last)[1:])


def _sum(node: Element, rest: Sequence[Element]) -> str | None:
    if _name(node) not in (*_SCRIPTS, "mo"):
        return None
    sign = node if _name(node) == "mo" else node[0]
    if _name(sign) != "mo" or (sign.text or " ") not in _SUMS:
        return None
    low = high = ""
    if _name(node) in ("msub", "munder", "msubsup", "munderover"):
        low = _node(node[1])
    if _name(node) in ("msup", "mover", "msubsup", "munderover"):
        high = _node(node[-1])
    hide = "".join(f'<m:{which}Hide m:val="1"/>' for which, limit in (("sub", low), ("sup", high)) if not limit)
    properties = f'<m:chr m:val="{sign.text}"/><m:limLoc m:val="undOvr"/>{hide}'
    return (
        f"<m:nary><m:naryPr>{properties}</m:naryPr><m:sub>{low}</m:sub><m:sup>{high}</m:sup>"
        f"<m:e>{_row(rest)}</m:e></m:nary>"
    )


def _is_function(node: Element) -> bool:
    """``ln``, or ``min`` with its subscript."""
    if _name(node) in _SCRIPTS:
        return _is_function(node[0])
    return _name(node) in ("mi", "mo") and len(node.text or "") > 1 and (node.text or "").isalpha()


def _run(text: str, style: str = "") -> str:
    properties = f"<m:rPr>{style}</m:rPr>" if style else ""
    return f'<m:r>{properties}{_FONT}<m:t xml:space="preserve">{escape(text)}</m:t></m:r>'


def _identifier(node: Element) -> str:
    text = node.text or ""
    if not text:
        return _words(_NOTHING)
    if len(text) > 1:
        return _words(text)
    return _run(text, "" if text.isalpha() else '<m:sty m:val="p"/>')


def _operator(node: Element) -> str:
    text = node.text or ""
    return _words(text) if text.isalpha() else _run(text, '<m:sty m:val="p"/>')


def _words(text: str) -> str:
    """An upright word in the type of the equation."""
    return _run(text, "<m:nor/>")


def _text(node: Element) -> str:
    lines = textwrap.wrap(node.text or "", _LONGEST_TEXT) or [""]
    if len(lines) == 1:
        return _plain(node.text or "")
    return f"<m:eqArr>{''.join(f'<m:e>{_plain(line)}</m:e>' for line in lines)}</m:eqArr>"


def _plain(text: str) -> str:
    """Text in the type of the page."""
    return f'<m:r><m:rPr><m:nor/></m:rPr><m:t xml:space="preserve">{escape(text)}</m:t></m:r>'


def _space(node: Element) -> str:
    width = float(node.get("width", "0em").removesuffix("em"))
    return next((_words(space) for least, space in _SPACES if width >= least), "")


def _script(node: Element) -> str:
    kind, (base, *scripts) = _name(node), list(node)
    if kind == "mover" and (scripts[0].text or "") in _ACCENTS:
        accent = _ACCENTS[scripts[0].text or ""]
        return f'<m:acc><m:accPr><m:chr m:val="{accent}"/></m:accPr><m:e>{_node(base)}</m:e></m:acc>'
    if kind in ("munder", "msub") and _name(base) == "mo" and _is_function(base):
        return f"<m:limLow><m:e>{_node(base)}</m:e><m:lim>{_node(scripts[0])}</m:lim></m:limLow>"
    return _scripted(kind, _node(base), scripts)


def _scripted(kind: str, base: str, scripts: Sequence[Element]) -> str:
    if kind in ("msub", "msup", "msubsup"):
        name = {"msub": "sSub", "msup": "sSup", "msubsup": "sSubSup"}[kind]
        parts = ("sub", "sup") if kind == "msubsup" else (kind[1:],)
        said = "".join(f"<m:{part}>{_node(script)}</m:{part}>" for part, script in zip(parts, scripts, strict=True))
        return f"<m:{name}><m:e>{base}</m:e>{said}</m:{name}>"
    if kind == "munderover":
        base = _limit("limLow", base, scripts[0])
    return _limit("limLow" if kind == "munder" else "limUpp", base, scripts[-1])


def _limit(name: str, base: str, limit: Element) -> str:
    return f"<m:{name}><m:e>{base}</m:e><m:lim>{_node(limit)}</m:lim></m:{name}>"


def _fraction(node: Element) -> str:
    top, bottom = node
    return f"<m:f><m:num>{_node(top)}</m:num><m:den>{_node(bottom)}</m:den></m:f>"


def _root(node: Element) -> str:
    if _name(node) == "msqrt":
        return f'<m:rad><m:radPr><m:degHide m:val="1"/></m:radPr><m:deg/><m:e>{_row(list(node))}</m:e></m:rad>'
    base, degree = node
    return f"<m:rad><m:deg>{_node(degree)}</m:deg><m:e>{_node(base)}</m:e></m:rad>"


def _table(node: Element) -> str:
    """A matrix; lines that are aligned at a sign are one with columns right and left of it, close together."""
    rows = list(node)
    cells = max(len(row) for row in rows)
    sides = [cell.get("columnalign", "center") for cell in rows[0]]
    columns = "".join(
        f'<m:mc><m:mcPr><m:count m:val="1"/><m:mcJc m:val="{side}"/></m:mcPr></m:mc>' for side in sides[:cells]
    )
    gap = '<m:cGpRule m:val="3"/><m:cGp m:val="60"/>' if "right" in sides else ""
    spread = '<m:rSpRule m:val="1"/>' if "right" in sides else ""
    said = "".join(
        f"<m:mr>{''.join(f'<m:e>{_row(list(cell)) or _words(_NOTHING)}</m:e>' for cell in row)}</m:mr>" for row in rows
    )
    return f'<m:m><m:mPr><m:plcHide m:val="1"/>{spread}{gap}<m:mcs>{columns}</m:mcs></m:mPr>{said}</m:m>'


def _children(node: Element) -> str:
    return _row(list(node))


_RULES: Final[dict[str, Callable[[Element], str]]] = {
    "math": _children,
    "mrow": _children,
    "mi": _identifier,
    "mn": lambda node: _run(node.text or "", '<m:sty m:val="p"/>'),
    "mo": _operator,
    "mtext": _text,
    "mspace": _space,
    **dict.fromkeys(_SCRIPTS, _script),
    "mfrac": _fraction,
    "msqrt": _root,
    "mroot": _root,
    "mtable": _table,
}
