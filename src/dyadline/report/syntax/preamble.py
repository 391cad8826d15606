"""What stands at the top of every script: which model it is, which file it reads, and what names and codes mean."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.metadata import version

from dyadline.errors import PlanError
from dyadline.model.fit import Fit
from dyadline.plan.tokens import quote_name
from dyadline.report.syntax.expected import CLOSE, Expected, criterion_close, number
from dyadline.report.syntax.layout import Layout
from dyadline.report.syntax.names import inert, wrapped
from dyadline.report.syntax.twin import Twin

CRITERION = {"REML": "-2 restricted log-likelihood", "ML": "-2 log-likelihood"}


def file_name(data: str) -> str:
    """A file's name as a script can quote it, with forward slashes.

    Raises
    ------
    PlanError
        If it has quotes, dollar signs or control characters, which could end the string that it stands in.
    """
    path = data.replace("\\", "/")
    if not path or not path.isprintable() or any(c in path for c in "\"'`$"):
        raise PlanError(
            f"A script cannot read a file called {data!r}",
            way_out="Give the file a name without quotes, dollar signs and line breaks",
        )
    return path


def preamble(fit: Fit, twin: Twin, layout: Layout, title: str, data: str) -> list[str]:
    """Lines without comment marks, each harmless inside a comment."""
    lines = [*wrapped(inert(title))] if title else []
    lines += wrapped(f"Model: {_written(fit)} ({fit.method})", indent="  ")
    lines += wrapped(f"Data: {inert(data)}, {fit.n_rows} rows; it holds data of patients.")
    lines.append(f"Written by dyadline {version('dyadline')}.")
    if not fit.converged:
        lines.append("No certified optimum: other programs may find another one, or none.")
    for line in (*_names(fit, twin, layout), *_codes(twin, layout)):
        lines += wrapped(line, indent="  ")
    return lines


def _written(fit: Fit) -> str:
    """The formula, on one line."""
    residual = fit.spec.residual
    more = "" if residual.kind == "independent" else f"; residual {residual.label}"
    return inert(fit.spec.formula + more, 1000)


def _names(fit: Fit, twin: Twin, layout: Layout) -> Iterator[str]:
    """Columns whose name in the file is another one, or has another meaning."""
    joint = fit.spec.responses
    for (part, column), name in layout.names.items():
        if name not in twin.read:
            continue
        if joint and column == fit.spec.response.column:
            yield f"{name} holds {' and '.join(inert(r, 80) for r in joint)}, one row for each; kind says which."
            yield f"{' and '.join(_indicators(fit, layout))} are 1 in the rows of their own ratings and 0 elsewhere."
        elif part == "group":
            yield f"{name} holds running numbers" + (f" of {inert(column, 80)}." if column != name else ".")
        elif column.strip() != name and not (joint and column.startswith(" ")):
            meant = inert(quote_name(column), 80)
            yield f"{name} is {meant}." if part == "column" else f"{name} is {meant} as the residuals need it."


def _indicators(fit: Fit, layout: Layout) -> list[str]:
    return [layout.names["column", response] for response in fit.spec.responses]


def _codes(twin: Twin, layout: Layout) -> Iterator[str]:
    for column, levels in layout.levels.items():
        if (name := layout.names["column", column]) in twin.read:
            yield f"{name}: " + ", ".join(f"{code} = {inert(level, 40)}" for code, level in enumerate(levels)) + "."
    for column, levels in layout.residual_levels.items():
        name = layout.names.get(("residual", column), "")
        if name and name == twin.residual.level:
            yield f"{name}: " + ", ".join(f"{k} = {inert(level, 40)}" for k, level in enumerate(levels, 1)) + "."


def closeness(found: Expected) -> list[str]:
    """How near the other program must come."""
    close, reach = number(CLOSE), number(criterion_close(found))
    line = f"Expected: estimates within {close} standard errors of these, -2 log-likelihood within {reach}."
    singular = (
        "A variance is zero or a correlation is 1 in size: programs then differ in standard errors and degrees of "
        "freedom, may warn, and only the log-likelihood and the fixed effects must agree."
    )
    return [*wrapped(line), *(wrapped(singular) if found.singular else [])]
