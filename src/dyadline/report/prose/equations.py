"""Model equations at each level, written from the same specification that was fitted."""

from __future__ import annotations

from dataclasses import replace

from dyadline.plan.model import ModelSpec, RandomTerm, Term, Variable
from dyadline.report.document import Equation
from dyadline.report.labels import TIME, TRANSFORMS, name, split_time
from dyadline.scoring.growth import BOTH, GrowthModels
from dyadline.scoring.ratings import RATERS

_LETTERS = {"patient": "P", "therapist": "T"}

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


def rating_equations(growth: GrowthModels) -> tuple[Equation, ...]:
    """The growth models that the curves of the ratings come from, one per rater or both in one, as they were fitted.

    Parameters
    ----------
    growth
        i counts occasions, j dyads; P and T are the patient and the therapist.
    """
    if growth.kind == "dyadic":
        return _joint_equations(growth.fits[BOTH].spec)
    made = []
    for rater in RATERS:
        whose = name(f"{rater}_rating").lower()
        made += [
            replace(equation, words=f"{equation.words}, {whose}")
            for equation in model_equations(_in_words(growth.fits[rater].spec, rater))
        ]
    return tuple(made)


def _in_words(spec: ModelSpec, rater: str) -> ModelSpec:
    """A rater's growth model with the names that the report has for its columns."""

    def named(term: Term) -> Term:
        return tuple(Variable(TIME) if v.column == "t" else v for v in term)

    random = tuple(replace(r, terms=tuple(named(term) for term in r.terms)) for r in spec.random)
    return replace(
        spec, response=Variable(f"{rater}_rating"), fixed=tuple(named(term) for term in spec.fixed), random=random
    )


def _joint_equations(spec: ModelSpec) -> tuple[Equation, ...]:
    """The joint model: each rater's own effects are the terms that hold the rater's name."""
    own = {rater: [t for t in spec.fixed if any(v.column == rater for v in t)] for rater in spec.responses}
    varying = list(spec.random[0].terms)
    level_1, level_2 = [], []
    for rater in spec.responses:
        letter = _LETTERS[rater]
        times = [tuple(v for v in term if v.column != rater) for term in own[rater]]
        body = " + ".join(
            f"b^{{{letter}}}_{{{k}j}}" + (r"\,\text{Time}_{ij}" if time else "") for k, time in enumerate(times)
        )
        level_1.append((rf"\text{{{name(f'{rater}_rating')}}}_{{ij}}", f"= {body} + r^{{{letter}}}_{{ij}}"))
        for k, term in enumerate(own[rater]):
            deviation = f" + u^{{{letter}}}_{{{k}j}}" if term in varying else ""
            level_2.append((f"b^{{{letter}}}_{{{k}j}}", rf"= \gamma^{{{letter}}}_{{{k}}}{deviation}"))
    effects = [
        f"u^{{{_LETTERS[rater]}}}_{{{own[rater].index(term)}j}}"
        for term in varying
        for rater in spec.responses
        if term in own[rater]
    ]
    residuals = [f"r^{{{_LETTERS[rater]}}}_{{ij}}" for rater in spec.responses]
    return (
        Equation(latex=_split(level_1), words="Level 1 (occasions), both raters"),
        Equation(latex=_split(level_2), words="Level 2 (dyads), both raters"),
        Equation(latex=_normal(effects, r"\tau"), words="Random effects of the dyads, both raters"),
        Equation(latex=_normal(residuals, r"\sigma"), words="Residuals at the same occasion, both raters"),
    )


def _normal(effects: list[str], variance: str) -> str:
    """A normal distribution with a free covariance matrix, numbered from 1."""
    numbers = range(1, len(effects) + 1)
    entries = [" & ".join(f"{variance}_{{{min(a, b)}{max(a, b)}}}" for b in numbers) for a in numbers]
    vector, zeros, matrix = (r" \\ ".join(lines) for lines in (effects, ["0"] * len(effects), entries))
    return (
        rf"\begin{{pmatrix}} {vector} \end{{pmatrix}} \sim N\left("
        rf"\begin{{pmatrix}} {zeros} \end{{pmatrix}}, \begin{{pmatrix}} {matrix} \end{{pmatrix}}\right)"
    )


def reading(spec: ModelSpec) -> str:
    """A model of an outcome in words, for who would rather not read its equations."""
    slopes = any(split_time(term)[0] for term in spec.fixed)
    sum_of = "the dyad's level at time 0" + (", plus the dyad's slope times time" if slopes else "")
    said = {what: _made_of(spec, part) for what, part in (("level", ()), ("slope", (Variable(TIME),)))}
    if not slopes:
        del said["slope"]
    if len(set(said.values())) < len(said):
        ends = f"Level and slope are each {said['level']}."
    else:
        ends = " ".join(f"The {what} is {words}." for what, words in said.items())
    return f"At each occasion the outcome is {sum_of}, plus a residual. {ends}"


def _made_of(spec: ModelSpec, part: Term) -> str:
    """What a level-1 coefficient is the sum of."""
    of_dyad = [split_time(term)[1] for term in spec.fixed if split_time(term)[0] == part]
    terms = [" × ".join(name(v.column) for v in term) for term in of_dyad if term]
    predictors = f"a coefficient times each predictor ({'; '.join(terms)})" if terms else ""
    own = [f"the {random.group[0]}'s own deviation" for random in spec.random if part in random.terms]
    return ", plus ".join(words for words in ("an average" if () in of_dyad else "", predictors, *own) if words)


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
