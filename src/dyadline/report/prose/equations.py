"""Model equations at each level, written from the same specification that was fitted."""

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
    """Level 1, level 2, with therapists level 3, and the distribution of the random effects.

    Level 1 holds what changes from occasion to occasion (intercept and time), level 2 how each of these
    coefficients depends on the dyad, level 3 how its mean differs between therapists.

    Parameters
    ----------
    spec
        A model of dyads, or of dyads in therapists; i counts occasions, j dyads, k therapists.

    Returns
    -------
    Empty for models that these levels cannot express (other groupings).
    """
    random, *above = spec.random
    if [term.group for term in above] not in ([], [("therapist",)]) or random.group == ("therapist",):
        return ()
    dyad = "jk" if above else "j"
    by_time: dict[Term, list[Term]] = {}
    for term in spec.fixed:
        over_time, of_dyad = split_time(term)
        by_time.setdefault(over_time, []).append(of_dyad)
    for varying in spec.random:
        for term in varying.terms:
            by_time.setdefault(split_time(term)[0], [])
    order = sorted(by_time, key=len)
    level_2 = [
        line
        for k, part in enumerate(order)
        for line in _level_2(k, by_time[part], dyad, random=part in random.terms, three=bool(above))
    ]
    equations = [
        Equation(latex=_level_1(spec, order, dyad), words="Level 1 (occasions)"),
        Equation(latex=_split(level_2), words="Level 2 (dyads)"),
    ]
    if above:
        lines = [
            (
                f"\\beta_{{{k}0k}}",
                f"= {' + '.join(_level_3(k, fixed=() in by_time[part], random=part in above[0].terms))}",
            )
            for k, part in enumerate(order)
        ]
        equations.append(Equation(latex=_split(lines), words="Level 3 (therapists)"))
    numbers = {part: k for k, part in enumerate(order)}
    distributions = [_distribution([numbers[t] for t in random.terms], random, "u", r"\tau", dyad)]
    if above:
        distributions.append(_distribution([numbers[t] for t in above[0].terms], above[0], "v", r"\varphi", "k"))
    residual = rf"r_{{i{dyad}}} \sim N(0, \sigma^{{2}})"
    latex = r", \quad ".join([*(d for d in distributions if d), residual])
    return (*equations, Equation(latex=latex, words="Random effects and residuals"))


def _level_1(spec: ModelSpec, order: list[Term], dyad: str) -> str:
    row = f"i{dyad}"
    parts = [
        f"b_{{{k}{dyad}}}" + "".join(rf"\,{_symbol(v.column, v.transform, row)}" for v in part)
        for k, part in enumerate(order)
    ]
    outcome = _symbol(spec.response.column, spec.response.transform, row)
    return f"{outcome} = {' + '.join([*parts, f'r_{{{row}}}'])}"


def _level_2(k: int, of_dyad: list[Term], dyad: str, *, random: bool, three: bool) -> list[tuple[str, str]]:
    """Lines of one level-2 equation, as (left, right) of the alignment; with therapists its mean is theirs."""
    terms = [_product(rf"\gamma_{{{k}{n}}}", term, dyad) for n, term in enumerate(of_dyad)]
    if three:
        terms = [rf"\beta_{{{k}0k}}", *(t for t, term in zip(terms, of_dyad, strict=True) if term)]
    if random:
        terms.append(f"u_{{{k}{dyad}}}")
    first = 1 + _PER_LINE
    chunks = [terms[:first], *(terms[n : n + _PER_LINE] for n in range(first, len(terms), _PER_LINE))]
    if len(chunks) > 1 and len(chunks[-1]) == 1:
        chunks[-2:] = [chunks[-2] + chunks[-1]]
    lines = [(f"b_{{{k}{dyad}}}", f"= {' + '.join(chunks[0]) or '0'}")]
    return lines + [("", rf"\quad + {' + '.join(chunk)}") for chunk in chunks[1:]]


def _level_3(k: int, *, fixed: bool, random: bool) -> list[str]:
    return ([rf"\gamma_{{{k}0}}"] if fixed else []) + ([f"v_{{{k}0k}}"] if random else []) or ["0"]


def _product(coefficient: str, term: Term, dyad: str) -> str:
    symbols = [_symbol(v.column, v.transform, dyad) for v in term]
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


def _distribution(varying: list[int], random: RandomTerm, effect: str, variance: str, group: str) -> str:
    """Normal distribution of the effects of one level; empty without effects."""
    index = f"0{group}" if group == "k" else group
    if not varying:
        return ""
    if len(varying) == 1:
        k = varying[0]
        return rf"{effect}_{{{k}{index}}} \sim N(0, {variance}_{{{k}{k}}})"

    def entry(a: int, b: int) -> str:
        return rf"{variance}_{{{min(a, b)}{max(a, b)}}}" if a == b or random.correlated else "0"

    effects = r" \\ ".join(f"{effect}_{{{k}{index}}}" for k in varying)
    zeros = r" \\ ".join("0" for _ in varying)
    rows = r" \\ ".join(" & ".join(entry(a, b) for b in varying) for a in varying)
    return (
        rf"\begin{{pmatrix}} {effects} \end{{pmatrix}} \sim N\left("
        rf"\begin{{pmatrix}} {zeros} \end{{pmatrix}}, \begin{{pmatrix}} {rows} \end{{pmatrix}}\right)"
    )
