"""Formulas: terms and their order as R gives them, random parts as lme4 does, and refusal of everything else."""

from __future__ import annotations

import os
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dyadline.errors import PlanError
from dyadline.plan.formula import FormulaError, parse_formula
from dyadline.plan.model import RandomTerm, Variable, term_label
from dyadline.plan.tokens import quote_name

# R 4.2.2: t <- terms(as.formula(x)); paste(c(if (attr(t, "intercept")) "1", attr(t, "term.labels")), collapse=" ")
FROM_R = [
    ("y~t*(init+A1+B1+dev*conv)", "1 t init A1 B1 dev conv dev:conv t:init t:A1 t:B1 t:dev t:conv t:dev:conv"),
    ("y~a*b*c-a:b:c", "1 a b c a:b a:c b:c"),
    ("y~(a+b+c)^2", "1 a b c a:b a:c b:c"),
    ("y~(a*b+c)^2", "1 a b c a:b a:c b:c a:b:c"),
    ("y~(a+b+c+d)^3-d", "1 a b c a:b a:c a:d b:c b:d c:d a:b:c a:b:d a:c:d b:c:d"),
    ("y~(a+b+c)^3-a:b:c", "1 a b c a:b a:c b:c"),
    ("y~a^2", "1 a"),
    ("y~a:b+a", "1 a a:b"),
    ("y~b:a+a", "1 a b:a"),
    ("y~b:a+a:b+a", "1 a b:a"),
    ("y~b+a:b+c:a", "1 b b:a a:c"),
    ("y~c+b:a+a", "1 c a b:a"),
    ("y~x2+x1:x2:x3+x3:x1+x1", "1 x2 x1 x1:x3 x2:x1:x3"),
    ("y~c*(b+a:d)+d", "1 c b d a:d c:b c:a:d"),
    ("y~a:b:c+c:d+d", "1 d c:d a:b:c"),
    ("y~a:(b+c)*d", "1 d a:b a:c a:b:d a:c:d"),
    ("y~(a+b):(c+d)+d:a", "1 a:c a:d b:c b:d"),
    ("y~(a+b)*(c+d)", "1 a b c d a:c a:d b:c b:d"),
    ("y~a:b*c", "1 c a:b a:b:c"),
    ("y~a*b:c", "1 a b:c a:b:c"),
    ("y~a:a", "1 a"),
    ("y~a*a", "1 a"),
    ("y~a+b+a", "1 a b"),
    ("y~a*b-1", "a b a:b"),
    ("y~0+a", "a"),
    ("y~a+0", "a"),
    ("y~-1+a", "a"),
    ("y~(a-1)+b", "a b"),
    ("y~a+(0+b)", "a b"),
    ("y~a-(-1)", "1 a"),
    ("y~a+0+1", "1 a"),
    ("y~a-1+1", "1 a"),
    ("y~a-0", "1 a"),
    ("y~a+b-(1+b)", "a"),
    ("y~1", "1"),
    ("y~-0", "1"),
    ("y~+a", "1 a"),
    ("y~a*b-a", "1 b a:b"),
    ("y~a+b-a+a", "1 b a"),
    ("y~a*b+c-a+a", "1 b c a a:b"),
    ("y~a*b*c+d-b:a", "1 a b c d a:c b:c a:b:c"),
    ("y~a-(b+a)", "1"),
    ("y~a*(b-a)", "1 a b a:b"),
    ("y~(a-b)*c", "1 a c a:c"),
    ("y~a-b:c", "1 a"),
    ("y~log(a):a+a+log(a)", "1 a log(a) log(a):a"),
    ("y~log1p(t)*g+t", "1 log1p(t) g t log1p(t):g"),
    ("y~coa*t+peer*t", "1 coa t peer coa:t t:peer"),
]


def labels(formula: str) -> str:
    return " ".join("1" if term == () else term_label(term) for term in parse_formula(formula).fixed)


@pytest.mark.parametrize(("formula", "expected"), FROM_R)
def test_fixed_terms_are_those_of_r(formula: str, expected: str) -> None:
    assert labels(formula) == expected
    assert labels(formula.replace("~", " ~\n ").replace("+", " + ")) == expected


T, ONE = (Variable("t"),), ()


@pytest.mark.parametrize(
    ("part", "expected"),
    [
        ("(t | dyad)", [((ONE, T), ("dyad",), True)]),
        ("(1 | dyad)", [((ONE,), ("dyad",), True)]),
        ("(0 + t | dyad)", [((T,), ("dyad",), True)]),
        ("(-1 + t | dyad)", [((T,), ("dyad",), True)]),
        ("(t || dyad)", [((ONE, T), ("dyad",), False)]),
        ("(t | a/b)", [((ONE, T), ("a",), True), ((ONE, T), ("a", "b"), True)]),
        ("(1 | a/b/c)", [((ONE,), ("a",), True), ((ONE,), ("a", "b"), True), ((ONE,), ("a", "b", "c"), True)]),
        ("(t | a:b)", [((ONE, T), ("a", "b"), True)]),
        ("(1 | a) + (0 + t | a)", [((ONE,), ("a",), True), ((T,), ("a",), True)]),
        ("(1 | `the dyad`)", [((ONE,), ("the dyad",), True)]),
        ("(x*t | g)", [((ONE, (Variable("x"),), T, (Variable("x"), Variable("t"))), ("g",), True)]),
    ],
)
def test_random_parts(part: str, expected: list[tuple[object, ...]]) -> None:
    for formula in (f"y ~ t + {part}", f"y ~ {part} + t"):
        spec = parse_formula(formula)
        assert spec.random == tuple(RandomTerm(terms=t, group=g, correlated=c) for t, g, c in expected)  # type: ignore[arg-type]
        assert spec.fixed == (ONE, T)


def test_power_is_limited_by_its_terms_not_by_its_products() -> None:
    # 12 + 66 + 220 + 495 combinations of 12 variables, and the intercept
    assert len(parse_formula(f"y ~ ({'+'.join(f'x{i}' for i in range(12))})^4").fixed) == 794


def test_order_within_terms_is_that_of_the_own_part() -> None:
    spec = parse_formula("y ~ b + a:b + (a:b | g)")
    assert [term_label(t) for t in spec.fixed] == ["(Intercept)", "b", "b:a"]
    assert [term_label(t) for t in spec.random[0].terms] == ["(Intercept)", "a:b"]


def test_names() -> None:
    spec = parse_formula("log(`y (raw)`) ~ wai.p * `a\\`b\\\\c` + größe + .x_1 + (1 | dyad)")
    assert spec.response == Variable("y (raw)", "log")
    assert spec.columns == ("y (raw)", "wai.p", "a`b\\c", "größe", ".x_1", "dyad")
    assert spec.formula.startswith("log(")
    assert parse_formula("y ~ log").fixed == ((), (Variable("log"),))
    assert parse_formula("y ~ a").random == ()


@given(st.text(min_size=1, max_size=20).filter(lambda name: name != "a0"))
def test_any_name_can_be_quoted(name: str) -> None:
    spec = parse_formula(f"{quote_name(name)} ~ a0 + (1 | {quote_name(name + 'g')})")
    assert spec.columns == (name, "a0", name + "g")


REFUSED = [
    ("y ~ I(t^2)", 4, "does not evaluate"),
    ("y ~ poly(t, 2)", 4, "does not evaluate"),
    ("y ~ lgo(t)", 4, "Did you mean 'log'"),
    ("y ~ `log`(t)", 4, "does not evaluate"),
    ("y ~ log(t + 1)", 8, "make the column first"),
    ("y ~ log(log(t))", 8, "make the column first"),
    ("y ~ 2 * t", 4, "only numbers"),
    ("y ~ t^1", 6, "whole number from 2"),
    ("y ~ t^2^2", 7, "power of a power"),
    ("y ~ t**2", 5, "'^'"),
    ("y ~ 1:t", 5, "cannot be multiplied"),
    ("y ~ t.b[0]", 7, "no meaning"),
    ("y ~ t if t else x", 6, "does not belong"),
    ("y ~ 'text'", 4, "back-quotes"),
    ("y ~ .", 4, "Name the columns"),
    ("y ~ a %in% b", 6, "a:b"),
    ("y ~ a/b", 5, "a + a:b"),
    ("y ~ a b", 6, "does not belong"),
    ("y ~ -a", 5, "nothing before"),
    ("y ~ a +", 7, "end of the formula"),
    ("y ~ (a", 6, "close the bracket"),
    ("y ~ a)", 5, "does not belong"),
    ("y ~ a ~ b", 6, "one '~'"),
    ("y", 0, "no '~'"),
    ("", 0, "no '~'"),
    ("~ a", 0, "No outcome"),
    ("y + z ~ a", 2, "Expected '~'"),
    ("y ~ ", 4, "end of the formula"),
    ("y ~ 0", 2, "no fixed term"),
    ("y ~ y + a", 2, "right of '~'"),
    ("y ~ a + (1 | y)", 2, "right of '~'"),
    ("y ~ a | g", 6, "in brackets"),
    ("y ~ a * (1 | g)", 8, "only be added"),
    ("y ~ ((1 | g))", 5, "only be added"),
    ("y ~ a - (1 | g)", 8, "cannot be taken away"),
    ("y ~ a + (0 | g)", 8, "Nothing varies"),
    ("y ~ a + (1 | )", 13, "for the group"),
    ("y ~ a + (1 | f(g))", 14, "not a calculation"),
    ("y ~ a + (1 | a + b)", 15, "Expected ')'"),
    ("y ~ a + (1 | g:g)", 8, "twice"),
    ("y ~ a + (1 | g) + (a | g)", 2, "in two random parts"),
    ("y ~ `a", 4, "not closed"),
    ("y ~ ``", 4, "empty"),
    ("__import__('os').system('touch hacked')", 0, "no '~'"),
    ("y ~ __import__('os').system('touch hacked')", 4, "does not evaluate"),
    ("__import__('os') ~ y", 0, "does not evaluate"),
    ("y ~ a + (1 | 'g')", 13, "back-quotes"),
    ("y ~ a, b", 5, "no lists"),
    ("y ~ os.system(x)", 4, "does not evaluate"),
]


@pytest.mark.parametrize(("formula", "position", "words"), REFUSED)
def test_refused_with_place_reason_and_way_out(formula: str, position: int, words: str) -> None:
    with pytest.raises(FormulaError) as caught:
        parse_formula(formula)
    message = str(caught.value)
    assert words in message
    assert caught.value.position == position
    sentence, shown, caret = message.split("\n")
    assert f"character {position + 1}" in sentence
    assert shown == f"  {formula}"
    assert caret.index("^") == position + 2


@pytest.mark.parametrize(
    "formula",
    [
        "y ~ " + "(" * 5000 + "a" + ")" * 5000,
        "y ~ " + "*".join(f"x{i}" for i in range(60)),
        "y ~ (" + "+".join(f"x{i}" for i in range(200)) + ")^9",
        "y ~ " + "a+" * 20_000 + "a",
        "y ~ " + "`" * 19_000,
        "y ~ " + "(a)+" * 4000 + "a|g",
    ],
)
def test_monstrous_formulas_are_refused_quickly(formula: str) -> None:
    start = time.perf_counter()
    with pytest.raises(PlanError):
        parse_formula(formula)
    assert time.perf_counter() - start < 2.0


@pytest.mark.parametrize("thing", [None, 3, ["y ~ x"], b"y ~ x"])
def test_not_a_text(thing: object) -> None:
    with pytest.raises(PlanError, match="A formula is a text"):
        parse_formula(thing)  # type: ignore[arg-type]


pieces = st.lists(
    st.sampled_from([*"abyt~+-*:^()|/01.,`' \n", "||", "log(", "I(", "(t|g)", "~ ", "2", "__import__('os')", "ü"])
    | st.text(max_size=3),
    max_size=25,
).map("".join)


@given(st.text() | pieces | pieces.map("y ~ {}".format))
def test_arbitrary_text_is_a_model_or_a_plan_error(text: str) -> None:
    try:
        spec = parse_formula(text)
    except PlanError:
        return
    assert len(set(spec.fixed)) == len(spec.fixed)
    assert [len(t) for t in spec.fixed] == sorted(len(t) for t in spec.fixed)


def test_nothing_is_executed(monkeypatch: pytest.MonkeyPatch) -> None:
    def never(*_: object) -> None:
        raise AssertionError("a formula ran a command")

    monkeypatch.setattr(os, "system", never)
    for inner in ("__import__('os').system('id')", "I(__import__('os').system('id'))", "`os.system('id')`(a)"):
        for formula in (f"y ~ {inner}", f"{inner} ~ a", f"y ~ a + ({inner} | g)", f"y ~ a + (1 | {inner})"):
            with pytest.raises(PlanError):
                parse_formula(formula)
