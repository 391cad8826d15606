"""The twin in R: lme4 and lmerTest, or nlme where residuals have a structure. The script checks its own numbers."""

from __future__ import annotations

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
from dyadline.report.syntax.names import inert, wrapped
from dyadline.report.syntax.preamble import CRITERION, closeness
from dyadline.report.syntax.twin import Derived, Effect, Grouped, Twin

DF = {"satterthwaite": "Satterthwaite", "kenward-roger": "Kenward-Roger", "normal": "lme4"}
"""What summary() of lmerTest calls them."""

FREEDOM_CLOSE = 0.01
"""Share by which degrees of freedom may differ: lmerTest takes numerical derivatives."""

_FORMULAS = {"log": "log({})", "log1p": "log1p({})", "sqrt": "sqrt({})", "exp": "exp({})"}


def r_script(twin: Twin, found: Expected, head: Sequence[str], data: str) -> str:
    """The script.

    Parameters
    ----------
    twin, found
        The model and its numbers.
    head
        Lines of the preamble.
    data
        Name of the file, as `file_name` gives it.
    """
    simple = twin.residual.kind == "independent"
    lines = [f"# {line}".rstrip() for line in head]
    lines += ["", *_notes(twin, found), *_reading(twin, data), ""]
    lines += [*(_lmer(twin) if simple else _nlme(twin)), ""]
    lines += [f"# {line}".rstrip() for line in _printed(twin, found)]
    lines += ["", *_check(twin, found, simple=simple)]
    return "\n".join(lines) + "\n"


def _name(effect: Effect) -> str:
    return ":".join(effect) if effect else "(Intercept)"


def _sum(effects: Sequence[Effect]) -> str:
    """Right-hand side of a formula."""
    terms = [":".join(effect) for effect in effects if effect]
    return " + ".join(["1" if () in effects else "0", *terms])


def _notes(twin: Twin, found: Expected) -> list[str]:
    if twin.residual.kind == "independent":
        return ["suppressPackageStartupMessages(library(lmerTest))  # lme4 with degrees of freedom", ""]
    notes = ["# nlme counts degrees of freedom by level of the design: its df and p are not those below."]
    if twin.method == "ML":
        notes.append("# Under ML summary() has standard errors times sqrt(n / (n - p)); those below are without it.")
    if found.singular:
        notes.append("# A variance is zero or a correlation is 1 in size: nlme may stop with an error there.")
    return [*notes, "library(nlme)", ""]


def _reading(twin: Twin, data: str) -> list[str]:
    used = wrapped(f"used <- c({', '.join(f'{chr(34)}{n}{chr(34)}' for n in twin.read)})", indent="          ")
    lines = [f'd <- read.csv("{data}")', *used, "d <- d[complete.cases(d[, used]), ]"]
    return [*lines, *(f"d${new.name} <- {_formula(new)}" for new in twin.derived)]


def _formula(new: Derived) -> str:
    if new.how == "level":
        return f"as.numeric(d${new.source} == {new.code})"
    return _FORMULAS[new.how].format(f"d${new.source}")


def _lmer(twin: Twin) -> list[str]:
    parts = [f"({_sum(b)} | {g.group})" for g in twin.grouped for b in g.blocks]
    formula = wrapped(f"{twin.response} ~ {' + '.join([_sum(twin.fixed), *parts])}", indent="  ")
    reml = "TRUE" if twin.method == "REML" else "FALSE"
    return [
        "model <- " + formula[0],
        *formula[1:],
        f"fit <- lmer(model, data = d, REML = {reml},",
        '            control = lmerControl(optimizer = "bobyqa", optCtrl = list(maxfun = 1e5, rhoend = 1e-9)))',
        f'print(summary(fit, ddf = "{DF[twin.df]}"), correlation = FALSE)',
    ]


def _nlme(twin: Twin) -> list[str]:
    random = [g for g in reversed(twin.grouped) if g.blocks]
    function = "lme" if random else "gls"
    formula = wrapped(f"{twin.response} ~ {_sum(twin.fixed)}", indent="  ")
    arguments = ["data = d", f'method = "{twin.method}"']
    if random:
        arguments.append(f"random = list({', '.join(f'{g.group} = {_matrix(g)}' for g in random)})")
    if twin.residual.level:
        arguments.append(f"weights = varIdent(form = ~ 1 | {twin.residual.level})")
    if correlation := _correlation(twin):
        arguments.append(f"correlation = {correlation}")
    arguments.append(_CONTROL[function])
    lines = ["model <- " + formula[0], *formula[1:]]
    for number_of, argument in enumerate(arguments):
        start = f"fit <- {function}(model, " if number_of == 0 else " " * (len(function) + 8)
        lines.append(f"{start}{argument}{')' if number_of == len(arguments) - 1 else ','}")
    return [*lines, "print(summary(fit), correlation = FALSE)"]


_CONTROL = {
    "lme": "control = lmeControl(maxIter = 500, msMaxIter = 1000, msMaxEval = 5000, niterEM = 50,\n"
    "                                tolerance = 1e-10, msTol = 1e-12)",
    "gls": "control = glsControl(maxIter = 500, msMaxIter = 1000, tolerance = 1e-10, msTol = 1e-12)",
}


def _matrix(grouped: Grouped) -> str:
    """The covariance matrix of a grouping's random effects."""
    kinds = [f"{'pdDiag' if len(block) == 1 else 'pdSymm'}(~ {_sum(block)})" for block in grouped.blocks]
    if len(kinds) == 1:
        return kinds[0]
    if all(len(block) == 1 for block in grouped.blocks):
        return f"pdDiag(~ {_sum([block[0] for block in grouped.blocks])})"
    return f"pdBlocked(list({', '.join(kinds)}))"


def _correlation(twin: Twin) -> str:
    kind, occasion = twin.residual.kind, twin.residual.occasion
    groups = "/".join(g.group for g in reversed(twin.grouped))
    return {
        "pairs": f"corCompSymm(form = ~ 1 | {groups}/{occasion})",
        "cs": f"corCompSymm(form = ~ 1 | {groups})",
        "ar1": f"corAR1(form = ~ {occasion} | {groups})",
        "car1": f"corCAR1(form = ~ {occasion} | {groups})",
    }.get(kind, "")


def _printed(twin: Twin, found: Expected) -> list[str]:
    convention = "lme4" if twin.residual.kind == "independent" else "nlme"
    rows = [(_component(c), c.estimate, c.std_error) for c in found.components]
    return [
        *closeness(found),
        "",
        f"{CRITERION[twin.method]}  {number(found.criterion, 10)}",
        f"AIC  {number(found.aic[convention], 10)}",
        f"BIC  {number(found.bic[convention], 10)}",
        "",
        *coefficient_lines(found, _name),
        "",
        *component_lines(rows),
    ]


def _component(c: Component) -> str:
    if c.kind == "variance":
        return f"{c.group}: Var {_name(c.one)}"
    if c.kind == "covariance":
        return f"{c.group}: Cov {_name(c.one)}, {_name(c.two)}"
    if c.kind == "residual":
        return f"Residual variance{f', {inert(c.label, 40)}' if c.label else ''}"
    return "Residual correlation"


def _check(twin: Twin, found: Expected, *, simple: bool) -> list[str]:
    """Code that stops with an error where a number is not the expected one."""
    gls = not any(g.blocks for g in twin.grouped)
    lines = [
        "# The check: it stops with an error if a number is not as expected.",
        *_vector("estimate", [c.estimate for c in found.coefficients]),
        *_vector("std_error", [c.std_error for c in found.coefficients]),
    ]
    if simple:
        lines += [f'found <- coef(summary(fit, ddf = "{DF[twin.df]}"))', "minus_two <- -2 * as.numeric(logLik(fit))"]
        fixed, errors = "found[, 1]", "found[, 2]"
    else:
        lines.append("minus_two <- -2 * as.numeric(logLik(fit))")
        shrink = f" * {twin.n_rows - len(twin.fixed)} / {twin.n_rows}" if gls and twin.method == "ML" else ""
        fixed = "coef(fit)" if gls else "fixef(fit)"
        errors = f"sqrt(diag(vcov(fit)){shrink})" if gls else "sqrt(diag(fit$varFix))"
    tests = [
        ("number of rows", f"nrow(d) == {twin.n_rows}"),
        ("-2 log-likelihood", f"abs(minus_two - {number(found.criterion, 12)}) <= {number(criterion_close(found))}"),
        ("fixed effects", f"abs({fixed} - estimate) <= {number(CLOSE)} * std_error"),
        ("standard errors", f"abs({errors} - std_error) <= {number(CLOSE)} * std_error"),
    ]
    if simple and twin.df != "normal" and not found.singular:
        lines += _vector("df", [c.df for c in found.coefficients])
        tests.append(("degrees of freedom", f'abs(found[, "df"] - df) <= {number(FREEDOM_CLOSE)} * df'))
    if not found.singular:
        lines += _components(twin, found, simple=simple)
        tests.append(("variance components", "abs(component - expected) <= allowed"))
    lines.append("stopifnot(")
    lines += [f'  "{what}" = {test}{"," if k < len(tests) - 1 else ""}' for k, (what, test) in enumerate(tests)]
    return [*lines, ")", 'cat("All numbers are as expected.\\n")']


def _vector(name: str, values: Sequence[float]) -> list[str]:
    return wrapped(f"{name} <- c({', '.join(number(v, 10) or 'NA' for v in values)})", indent="  ")


def _components(twin: Twin, found: Expected, *, simple: bool) -> list[str]:
    """Variances, covariances and correlations of the fit, in the order of the expected ones."""
    known = [c for c in found.components if c.std_error is not None]
    lines = _vector("expected", [c.estimate for c in known])
    lines += _vector("allowed", [CLOSE * (c.std_error or 0.0) for c in known])
    if any(g.blocks for g in twin.grouped):
        nlme = "lapply(fit$modelStruct$reStruct, function(m) fit$sigma^2 * as.matrix(m))"
        lines += [
            f"blocks <- {'VarCorr(fit)' if simple else nlme}",
            "of <- function(group, one, two) {",
            '  for (m in blocks[sub("[.][0-9]+$", "", names(blocks)) == group]) {',
            '    plain <- sapply(strsplit(rownames(m), ":"), function(s) paste(sort(s), collapse = ":"))',
            "    at <- match(c(one, two), plain)",
            "    if (!anyNA(at)) return(m[at[1], at[2]])",
            "  }",
            "  NA",
            "}",
        ]
    if twin.residual.level:
        lines.append("ratio <- coef(fit$modelStruct$varStruct, unconstrained = FALSE, allCoef = TRUE)")
    if any(c.kind == "correlation" for c in known):
        lines.append("correlation <- coef(fit$modelStruct$corStruct, unconstrained = FALSE)")
    return [*lines, "component <- c(", *(f"  {_found(c, twin)}," for c in known[:-1]), f"  {_found(known[-1], twin)})"]


def _found(c: Component, twin: Twin) -> str:
    if c.kind == "residual":
        return f'(sigma(fit) * ratio[["{c.group}"]])^2' if twin.residual.level else "sigma(fit)^2"
    if c.kind == "correlation":
        return "correlation"
    one, two = (":".join(sorted(e)) if e else "(Intercept)" for e in (c.one, c.two))
    return f'of("{c.group}", "{one}", "{two}")'
