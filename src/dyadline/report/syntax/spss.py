"""The twin in SPSS: GET DATA and MIXED.

IBM Corp. SPSS Statistics Command Syntax Reference: GET DATA, MIXED (covariance structures CSR, UNR, SP_POWER).
"""

from __future__ import annotations

from collections.abc import Sequence

import polars as pl

from dyadline.report.syntax.expected import Component, Expected, coefficient_lines, component_lines, number
from dyadline.report.syntax.layout import Layout
from dyadline.report.syntax.names import wrapped
from dyadline.report.syntax.preamble import CRITERION, closeness
from dyadline.report.syntax.twin import Derived, Effect, Grouped, Twin

_FORMULAS = {"log": "LN({})", "log1p": "LN(1 + {})", "sqrt": "SQRT({})", "exp": "EXP({})"}


IMPOSSIBLE = wrapped(
    "MIXED cannot fit this model: AR1 counts steps between the occasions of the file, which are not one unit apart, "
    "and SP_POWER has no negative correlation. The numbers below are those of dyadline alone"
)
"""Said instead of code."""


def spss_script(twin: Twin, found: Expected, layout: Layout, head: Sequence[str], data: str) -> str:
    """The script; parameters as for `r_script`, and the layout, because SPSS reads columns by their place."""
    lines = ["* Encoding: UTF-8.", *_comments(head), ""]
    if not _structure(twin, found):
        return "\n".join([*lines, *_comments(IMPOSSIBLE), "", *_comments(_printed(twin, found))]) + "\n"
    lines += [*_comments(_notes(twin, found)), *_reading(twin, layout, data), "", *_mixed(twin), ""]
    return "\n".join([*lines, *_comments(_printed(twin, found))]) + "\n"


def _comments(lines: Sequence[str]) -> list[str]:
    """Each line a comment of its own: a full stop at the end of a line ends a command, whatever else is in it."""
    return [f"* {line}" + ("" if line.endswith(".") else " .") if line else "" for line in lines]


def _syntax(effect: Effect) -> str:
    return "*".join(effect) if effect else "INTERCEPT"


def _output(effect: Effect) -> str:
    return " * ".join(effect) if effect else "Intercept"


def _notes(twin: Twin, found: Expected) -> list[str]:
    notes = []
    if _structure(twin, found) == "SP_POWER":
        notes.append("SP_POWER needs SPSS Statistics 25 or later")
    if twin.df == "kenward-roger":
        notes.append("DFMETHOD(KENWARDROGER) needs a version of SPSS Statistics later than 25")
    if twin.df == "normal":
        notes.append("SPSS gives t tests with Satterthwaite df: the p below are of z tests")
    return notes


def _reading(twin: Twin, layout: Layout, data: str) -> list[str]:
    formats = ["F10.0" if kind == pl.Int64 else "F32.16" for kind in layout.frame.dtypes]
    columns = [f"    {name} {how}" for name, how in zip(layout.frame.columns, formats, strict=True)]
    used = wrapped(f"SELECT IF (NMISS({', '.join(twin.read)}) = 0).", indent="    ")
    lines = [
        "* If the file is not found, name its folder first:  CD 'folder'  and a full stop .",
        "SET DECIMAL=DOT.",
        "GET DATA",
        "  /TYPE=TXT",
        f"  /FILE='{data}'",
        "  /ENCODING='UTF8'",
        "  /DELCASE=LINE",
        '  /DELIMITERS=","',
        "  /ARRANGEMENT=DELIMITED",
        "  /FIRSTCASE=2",
        "  /VARIABLES=",
        *columns,
    ]
    lines[-1] += "."
    lines += [*used, *(f"COMPUTE {new.name} = {_formula(new)}." for new in twin.derived), *_numbered(twin)]
    return [*lines, "EXECUTE."]


def _formula(new: Derived) -> str:
    return f"({new.source} = {new.code})" if new.how == "level" else _FORMULAS[new.how].format(new.source)


def _numbered(twin: Twin) -> list[str]:
    """A running number where REPEATED needs one that the file does not have."""
    if twin.residual.kind == "by":
        return [f"COMPUTE {twin.spare} = $CASENUM."]
    if twin.residual.kind != "cs":
        return []
    group = twin.grouped[0].group
    return [
        f"SORT CASES BY {group}.",
        f"COMPUTE {twin.spare} = 1.",
        f"IF ({group} = LAG({group})) {twin.spare} = LAG({twin.spare}) + 1.",
    ]


def _mixed(twin: Twin) -> list[str]:
    effects = [*twin.fixed, *(e for g in twin.grouped for b in g.blocks for e in b)]
    covariates = list(dict.fromkeys(name for effect in effects for name in effect))
    start = f"MIXED {twin.response}" + (f" WITH {' '.join(covariates)}" if covariates else "")
    fixed = " ".join(_syntax(e) for e in twin.fixed if e)
    freedom = "DFMETHOD(KENWARDROGER) " if twin.df == "kenward-roger" else ""
    lines = [
        *wrapped(start, indent="    "),
        f"  /CRITERIA={freedom}CIN(95) MXITER(1000) MXSTEP(10) SCORING(1) SINGULAR(0.000000000001)",
        "    HCONVERGE(0, ABSOLUTE) LCONVERGE(0, ABSOLUTE) PCONVERGE(0.0000001, ABSOLUTE)",
        *_indented(f"/FIXED={fixed} | {'' if () in twin.fixed else 'NOINT '}SSTYPE(3)"),
        f"  /METHOD={twin.method}",
        "  /PRINT=SOLUTION TESTCOV",
    ]
    for level, grouped in enumerate(twin.grouped):
        for block in _joined(grouped):
            kind = "UN" if len(block) > 1 and block in grouped.blocks else "VC"
            random = f"/RANDOM={' '.join(map(_syntax, block))} | SUBJECT({_subject(twin, level)}) COVTYPE({kind})"
            lines += _indented(random)
    lines += _indented(_repeated(twin))
    lines[-1] += "."
    return lines


def _indented(line: str) -> list[str]:
    return [f"  {part}" for part in wrapped(line, 94, "  ")]


def _joined(grouped: Grouped) -> list[tuple[Effect, ...]]:
    """Effects without covariances stand in one RANDOM: VC gives each its own variance."""
    alone = tuple(block[0] for block in grouped.blocks if len(block) == 1)
    return [*(block for block in grouped.blocks if len(block) > 1), *([alone] if alone else [])]


def _subject(twin: Twin, level: int = 0, *more: str) -> str:
    """Groups of a level within those above it."""
    return "*".join([*(g.group for g in reversed(twin.grouped[level:])), *more])


def _structure(twin: Twin, found: Expected) -> str:
    """COVTYPE of the residuals; empty if SPSS has none."""
    residual = twin.residual
    if residual.kind == "ar1" and not residual.consecutive:
        positive = all(c.estimate > 0.0 for c in found.components if c.kind == "correlation")
        return "SP_POWER" if positive else ""
    return {
        "independent": "ID", "by": "DIAG", "pairs": "UNR", "cs": "CSR", "ar1": "AR1", "car1": "SP_POWER",
    }[residual.kind]  # fmt: skip


def _repeated(twin: Twin) -> str:
    residual = twin.residual
    inner = _subject(twin)
    if residual.kind == "by":
        return f"/REPEATED={residual.level} | SUBJECT({_subject(twin, 0, twin.spare)}) COVTYPE(DIAG)"
    if residual.kind == "pairs":
        return f"/REPEATED={residual.level} | SUBJECT({_subject(twin, 0, residual.occasion)}) COVTYPE(UNR)"
    if residual.kind == "cs":
        return f"/REPEATED={twin.spare} | SUBJECT({inner}) COVTYPE(CSR)"
    if residual.kind == "ar1" and residual.consecutive:
        return f"/REPEATED={residual.occasion} | SUBJECT({inner}) COVTYPE(AR1)"
    if residual.kind in ("ar1", "car1"):
        return f"/REPEATED={residual.occasion} | SUBJECT({inner}) COVTYPE(SP_POWER) SPCOORDS({residual.occasion})"
    return ""


def _printed(twin: Twin, found: Expected) -> list[str]:
    rows = [(_component(c, twin), c.estimate, c.std_error) for c in found.components]
    return [
        *closeness(found),
        f"Cases that are analysed  {twin.n_rows}",
        f"{CRITERION[twin.method]}  {number(found.criterion, 10)}",
        f"AIC  {number(found.aic['spss'], 10)}",
        f"BIC  {number(found.bic['spss'], 10)}",
        "",
        *coefficient_lines(found, _output),
        "",
        *component_lines(rows),
    ]


def _component(c: Component, twin: Twin) -> str:
    if c.kind == "correlation":
        return "Repeated measures: correlation"
    if c.kind == "residual":
        if twin.residual.kind == "independent":
            return "Residual"
        return "Repeated measures: variance" + (f", {twin.residual.level} = {c.group}" if twin.residual.level else "")
    level = next(k for k, g in enumerate(twin.grouped) if g.group == c.group)
    block = next(b for b in _joined(twin.grouped[level]) if c.one in b)
    subject = f"[subject = {_subject(twin, level).replace('*', ' * ')}]"
    if block not in twin.grouped[level].blocks or len(block) == 1:
        return f"{_output(c.one)} {subject} Variance"
    place = f"({block.index(c.two) + 1},{block.index(c.one) + 1})"
    return f"{' + '.join(map(_output, block))} {subject} UN {place}"
