"""Model equations at both levels, written from the same specification that was fitted."""

from __future__ import annotations

from dyadline.plan.model import ModelSpec, RandomTerm, Term
from dyadline.report.document import Equation
from dyadline.report.labels import TRANSFORMS, name, split_time

_PER_LINE = 2
"""Predictors on a line of a level-2 equation, so that no line is wider than a page."""

_ESCAPES = str.maketrans(
    {
        "\\": r"\textbackslash{}",
        "~": r"\textasciitilde{}",
        "^": r"\textasciicircum{}",
        **{letter: f"\\{letter}" for letter in "{}_%$#&"},
    }
)


def escape_latex(text: str) -> str:
    """Text that LaTeX prints as it stands."""
    return text.translate(_ESCAPES)


def model_equations(spec: ModelSpec) -> tuple[Equation, ...]:
    """Level 1, level 2 and the distribution of the random effects.

    Level 1 holds what changes from occasion to occasion (intercept and time), level 2 how each of these
    coefficients depends on the dyad.

    Parameters
    ----------
    spec
        A model with one grouping factor; i counts occasions, j dyads.

    Returns
    -------
    Empty for models that these two levels cannot express (several grouping factors).
    """
    if len(spec.random) != 1:
        return ()
    random = spec.random[0]
    by_time: dict[Term, list[Term]] = {}
    for term in spec.fixed:
        over_time, of_dyad = split_time(term)
        by_time.setdefault(over_time, []).append(of_dyad)
    for term in random.terms:
        by_time.setdefault(split_time(term)[0], [])
    order = sorted(by_time, key=len)
    numbered = list(enumerate(order))
    level_2 = [_level_2(k, by_time[part], random=part in random.terms) for k, part in numbered]
    varying = [k for k, part in numbered if part in random.terms]
    return (
        Equation(latex=_level_1(spec, order), words="Level 1 (occasions)"),
        Equation(latex=_split([line for lines in level_2 for line in lines]), words="Level 2 (dyads)"),
        Equation(latex=_distribution(varying, random), words="Random effects and residuals"),
    )


def _level_1(spec: ModelSpec, order: list[Term]) -> str:
    parts = [
        f"b_{{{k}j}}" + "".join(rf"\,{_symbol(v.column, v.transform, 'ij')}" for v in part)
        for k, part in enumerate(order)
    ]
    outcome = _symbol(spec.response.column, spec.response.transform, "ij")
    return f"{outcome} = {' + '.join([*parts, 'r_{ij}'])}"


def _level_2(k: int, of_dyad: list[Term], *, random: bool) -> list[tuple[str, str]]:
    """Lines of one level-2 equation, as (left, right) of the alignment."""
    terms = [_product(rf"\gamma_{{{k}{n}}}", term) for n, term in enumerate(of_dyad)]
    if random:
        terms.append(f"u_{{{k}j}}")
    first = 1 + _PER_LINE
    chunks = [terms[:first], *(terms[n : n + _PER_LINE] for n in range(first, len(terms), _PER_LINE))]
    if len(chunks) > 1 and len(chunks[-1]) == 1:
        chunks[-2:] = [chunks[-2] + chunks[-1]]
    lines = [(f"b_{{{k}j}}", f"= {' + '.join(chunks[0]) or '0'}")]
    return lines + [("", rf"\quad + {' + '.join(chunk)}") for chunk in chunks[1:]]


def _product(coefficient: str, term: Term) -> str:
    symbols = [_symbol(v.column, v.transform, "j") for v in term]
    if not symbols:
        return coefficient
    product = r" \times ".join(symbols)
    return rf"{coefficient}\,{product}" if len(symbols) == 1 else rf"{coefficient}\,({product})"


def _symbol(column: str, transform: str, index: str) -> str:
    words = TRANSFORMS.get(transform, "{}").format(name(column))
    return rf"\text{{{escape_latex(words)}}}_{{{index}}}"


def _split(lines: list[tuple[str, str]]) -> str:
    body = r" \\ ".join(f"{left} &{right}".lstrip() for left, right in lines)
    return rf"\begin{{split}} {body} \end{{split}}"


def _distribution(varying: list[int], random: RandomTerm) -> str:
    residual = r"r_{ij} \sim N(0, \sigma^{2})"
    if not varying:
        return residual
    if len(varying) == 1:
        k = varying[0]
        return rf"u_{{{k}j}} \sim N(0, \tau_{{{k}{k}}}), \quad {residual}"

    def tau(a: int, b: int) -> str:
        return rf"\tau_{{{min(a, b)}{max(a, b)}}}" if a == b or random.correlated else "0"

    effects = r" \\ ".join(f"u_{{{k}j}}" for k in varying)
    zeros = r" \\ ".join("0" for _ in varying)
    rows = r" \\ ".join(" & ".join(tau(a, b) for b in varying) for a in varying)
    return (
        rf"\begin{{pmatrix}} {effects} \end{{pmatrix}} \sim N\left("
        rf"\begin{{pmatrix}} {zeros} \end{{pmatrix}}, \begin{{pmatrix}} {rows} \end{{pmatrix}}\right), \quad {residual}"
    )
