"""The twin in Stata: import delimited and mixed (Stata 14 or later). The script asserts what it can.

StataCorp. Stata Multilevel Mixed-Effects Reference Manual: mixed (residuals(), dfmethod(), repeated levels).
"""

from __future__ import annotations

import math
from collections.abc import Sequence

from dyadline.report.syntax.expected import (
    CLOSE,
    Component,
    Expected,
    coefficient_lines,
    component_lines,
    criterion_close,
    number,
)
from dyadline.report.syntax.layout import Layout
from dyadline.report.syntax.names import Names, wrapped
from dyadline.report.syntax.preamble import CRITERION, closeness
from dyadline.report.syntax.twin import Derived, Effect, Grouped, Twin

_FORMULAS = {"log": "ln({})", "log1p": "ln(1 + {})", "sqrt": "sqrt({})", "exp": "exp({})"}

_DF = {"satterthwaite": "dfmethod(satterthwaite, oim)", "kenward-roger": "dfmethod(kroger)"}
"""Observed information, as in dyadline; Stata's own default is the expected one."""


def stata_script(twin: Twin, found: Expected, layout: Layout, head: Sequence[str], data: str) -> str:
    """The script; parameters as for `spss_script`."""
    names = Names([*layout.frame.columns, *(new.name for new in twin.derived), twin.spare])
    products = {
        effect: names.give("_".join(effect))
        for grouped in twin.grouped
        for block in grouped.blocks
        for effect in block
        if len(effect) > 1
    }
    lines = [*_comments(head), "", *_comments(_notes(twin)), *_reading(twin, products, data), ""]
    lines += [*_mixed(twin, products), "estat ic", "", *_comments(_printed(twin, found, products)), ""]
    return "\n".join([*lines, *_check(twin, found)]) + "\n"


def _comments(lines: Sequence[str]) -> list[str]:
    return [f"* {line}" if line else "" for line in lines]


def _term(effect: Effect) -> str:
    """A fixed effect as Stata takes and prints it."""
    if len(effect) < 2:
        return effect[0] if effect else "_cons"
    return "#".join(f"c.{name}" for name in effect)


def _notes(twin: Twin) -> list[str]:
    if twin.method == "ML" and twin.df != "normal":
        return ["Under ML mixed has no Satterthwaite or Kenward-Roger df: it gives z tests, not the df and p below."]
    return []


def _reading(twin: Twin, products: dict[Effect, str], data: str) -> list[str]:
    kept = _continued(f"keep if !missing({', '.join(twin.read)})")
    lines = ["version 14", f'import delimited using "{data}", clear varnames(1) case(preserve) asdouble', *kept]
    lines.append(f"assert _N == {twin.n_rows}")
    lines += [f"generate double {new.name} = {_formula(new)}" for new in twin.derived]
    lines += [f"generate double {name} = {' * '.join(effect)}" for effect, name in products.items()]
    if twin.residual.kind == "pairs":
        lines.append(f"egen long {twin.spare} = group({' '.join(_groups(twin))} {twin.residual.occasion})")
    return lines


def _groups(twin: Twin) -> list[str]:
    return [g.group for g in reversed(twin.grouped)]


def _formula(new: Derived) -> str:
    return f"({new.source} == {new.code})" if new.how == "level" else _FORMULAS[new.how].format(new.source)


def _continued(command: str) -> list[str]:
    """A command over several lines."""
    lines = wrapped(command, 92, "    ")
    return [*(f"{line} ///" for line in lines[:-1]), lines[-1]]


def _mixed(twin: Twin, products: dict[Effect, str]) -> list[str]:
    fixed = " ".join([twin.response, *(_term(effect) for effect in twin.fixed if effect)])
    parts = [f"mixed {fixed}" + ("" if () in twin.fixed else ", noconstant")]
    for grouped in reversed(twin.grouped):
        parts += _equations(grouped, products)
    if twin.residual.kind == "pairs":
        parts.append(f"|| {twin.spare}:, noconstant")
    comma = "" if "," in parts[-1] else ","
    parts[-1] += f"{comma}{_residuals(twin)} {'reml' if twin.method == 'REML' else 'mle'}"
    if twin.method == "REML" and twin.df in _DF:
        parts[-1] += f" {_DF[twin.df]} dftable(pvalue)"
    lines = [line for part in parts for line in wrapped(part, 92, "    ")]
    indented = [lines[0], *(line if line.startswith(" ") else f"    {line}" for line in lines[1:])]
    return [*(f"{line} ///" for line in indented[:-1]), indented[-1]]


def _equations(grouped: Grouped, products: dict[Effect, str]) -> list[str]:
    """The random effects of a level; blocks that do not correlate are equations of the same level."""
    blocks = grouped.blocks or ((),)
    structure = "unstructured"
    if len(blocks) > 1 and all(len(block) == 1 for block in blocks):
        blocks, structure = (tuple(block[0] for block in blocks),), "independent"
    found = []
    for block in blocks:
        names = [products.get(effect) or effect[0] for effect in block if effect]
        options = [f"covariance({structure})"] if len(block) > 1 else []
        options += [] if () in block else ["noconstant"]
        found.append(" ".join([f"|| {grouped.group}:", *names]) + (f", {' '.join(options)}" if options else ""))
    return found


def _residuals(twin: Twin) -> str:
    residual = twin.residual
    inside = {
        "by": f"independent, by({residual.level})",
        "pairs": f"unstructured, t({residual.level})",
        "cs": "exchangeable",
        "ar1": f"ar 1, t({residual.occasion})",
        "car1": f"exponential, t({residual.occasion})",
    }.get(residual.kind)
    return f" residuals({inside})" if inside else ""


def _printed(twin: Twin, found: Expected, products: dict[Effect, str]) -> list[str]:
    return [
        *closeness(found),
        f"{CRITERION[twin.method]}  {number(found.criterion, 10)}",
        f"Log {'restricted-' if twin.method == 'REML' else ''}likelihood  {number(-found.criterion / 2, 10)}",
        f"AIC  {number(found.aic['lme4'], 10)}",
        f"BIC  {number(found.bic['lme4'], 10)}",
        "",
        *coefficient_lines(found, _term),
        "",
        *component_lines(_components(twin, found, products)),
    ]


def _components(twin: Twin, found: Expected, products: dict[Effect, str]) -> list[tuple[str, float, float | None]]:
    """Variance components under Stata's names, a residual covariance in place of a correlation of raters or rows."""
    rows: list[tuple[str, float, float | None]] = []
    variances = [c.estimate for c in found.components if c.kind == "residual"]
    for c in found.components:
        if c.kind == "correlation" and twin.residual.kind in ("pairs", "cs"):
            name = "cov(e1,e2)" if twin.residual.kind == "pairs" else "cov(e)"
            rows.append((f"Residual: {name}", c.estimate * math.sqrt(variances[0] * variances[-1]), None))
        else:
            rows.append((_component(c, twin, products), c.estimate, c.std_error))
    return rows


def _component(c: Component, twin: Twin, products: dict[Effect, str]) -> str:
    if c.kind == "correlation":
        return "Residual: rho"
    if c.kind == "residual":
        kind = twin.residual.kind
        name = {"independent": "var(Residual)", "by": f"{c.group}: var(e)", "pairs": f"var(e{c.group})"}.get(kind)
        return f"Residual: {name or 'var(e)'}" if kind != "independent" else "var(Residual)"
    # The constant stands last in Stata.
    names = [products.get(e) or e[0] for e in (c.one, c.two) if e]
    names += ["_cons"] * (2 - len(names))
    return f"{c.group}: " + (f"var({names[0]})" if c.kind == "variance" else f"cov({names[0]},{names[1]})")


def _check(twin: Twin, found: Expected) -> list[str]:
    """Assertions: the script stops at the first number that is not as expected."""
    lines = [f"assert abs(-2 * e(ll) - {number(found.criterion, 12)}) < {number(criterion_close(found))}"]
    for c in found.coefficients:
        name = f"{twin.response}:{_term(c.effect)}"
        lines.append(f"assert abs(_b[{name}] - ({number(c.estimate, 10)})) < {number(CLOSE * c.std_error, 4)}")
        if twin.df != "kenward-roger":  # those are adjusted in the table, and nowhere else
            lines.append(f"assert abs(_se[{name}] - {number(c.std_error, 10)}) < {number(CLOSE * c.std_error, 4)}")
    return [*lines, 'display "All numbers are as expected."']
