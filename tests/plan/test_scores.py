"""Every operationalisation has a name, words and a formula of its own."""

from __future__ import annotations

from itertools import product

from latex2mathml.converter import convert

from dyadline.plan.analysis import ConvergenceSection
from dyadline.plan.document import plan_schema
from dyadline.plan.scores import describe_operationalisation


def every() -> list[ConvergenceSection]:
    """All combinations of choices that a plan can hold."""
    fields = plan_schema()["$defs"]["ConvergenceSection"]["properties"]
    choices = {key: field["enum"] for key, field in fields.items() if "enum" in field}
    assert len(choices) == 7
    combinations = [dict(zip(choices, values, strict=True)) for values in product(*choices.values())]
    return [
        ConvergenceSection(**c)
        for c in combinations
        if c["growth"] != "observed" or (c["early_level"] != "curve" and c["early_discrepancy"] != "curve")
    ]


def test_all_combinations_are_told_apart() -> None:
    hows = every()
    # 3 growths with curves × 3 · 4 · 2 · 6 · 2 · 4 + raw ratings × 3 · 4 · 2 · 6 · 1 · 3
    assert len(hows) == 3 * 1152 + 432
    told = [describe_operationalisation(how) for how in hows]
    assert len({t.name for t in told}) == len(hows)
    assert len({t.sentence for t in told}) == len(hows)
    for how, one in zip(hows, told, strict=True):
        assert [c.key for c in one.choices] == [k for k in ConvergenceSection.model_fields if k != "null"]
        assert [c.value for c in one.choices] == [str(getattr(how, c.key)) for c in one.choices]
        assert all(c.words for c in one.choices)
        assert one.sentence.endswith(".")
        assert "{" not in one.sentence
        assert "None" not in one.sentence + one.formula


def test_formulas_depend_on_what_enters_them() -> None:
    formulas: dict[str, set[tuple[str, ...]]] = {}
    for how in every():
        unit = "" if how.slope in ("endpoints", "log_ratio") else how.unit
        key = (how.growth, how.discrepancy, how.slope, unit, how.transform)
        formulas.setdefault(describe_operationalisation(how).formula, set()).add(key)
    assert all(len(keys) == 1 for keys in formulas.values())
    assert len(formulas) == 4 * 3 * (2 * 2 + 2) * 6
    for formula in formulas:
        assert formula.count("{") == formula.count("}")
        assert "<mi>&</mi>" not in convert(formula)


def test_the_default_is_spelled_out() -> None:
    one = describe_operationalisation(ConvergenceSection())
    assert one.name == "multilevel/absolute/rate/window/log_shift"
    assert one.formula == (
        r"\begin{align*} "
        r"\hat P_{jt} &= \hat\gamma^P_0 + \hat u^P_{0j} + \left(\hat\gamma^P_1 + \hat u^P_{1j}\right) t \\ "
        r"\hat T_{jt} &= \hat\gamma^T_0 + \hat u^T_{0j} + \left(\hat\gamma^T_1 + \hat u^T_{1j}\right) t \\ "
        r"D_{jt} &= \left|\hat P_{jt} - \hat T_{jt}\right| \\ "
        r"s_j &= -\frac{\sum_t (t - \bar t_j)(D_{jt} - \bar D_j)}{\sum_t (t - \bar t_j)^2} "
        r"\cdot (t_{\max} - t_{\min}) \\ "
        r"C_j &= \ln\left(s_j - \min_k s_k + 1\right) \end{align*}"
    )
    for words in (
        "minus the slope of an ordinary least squares line",
        "the absolute difference between the patient's and the therapist's curves",
        "positive values mean that patient and therapist came closer",
        "change over the whole window",
        "ln(x − min(x) + 1)",
    ):
        assert words in one.sentence


def test_joint_curves_say_so() -> None:
    joint = describe_operationalisation(ConvergenceSection(growth="dyadic"))
    assert joint.name == "dyadic/absolute/rate/window/log_shift"
    assert "one joint growth model of both raters' ratings" in joint.sentence
    assert "Raudenbush, Brennan & Barnett, 1995" in joint.sentence
    assert (
        r"\hat u^P_{kj}, \hat u^T_{kj} &= "
        r"\operatorname{E}\left(u^P_{kj}, u^T_{kj} \mid P_{j1}, \ldots, T_{j1}, \ldots\right)" in joint.formula
    )


def test_what_is_not_the_default_is_in_the_name() -> None:
    how = ConvergenceSection(early_discrepancy="absolute", rating_window=(3, 20), outcome_window=(1.5, 4))
    name = describe_operationalisation(how).name
    assert name.endswith("; early_discrepancy=absolute; rating_window=[3, 20]; outcome_window=[1.5, 4]")
    assert "only occasions from 3 to 20 count" in describe_operationalisation(how).sentence.lower()


def test_a_signed_rate_is_not_called_a_coming_closer() -> None:
    signed = describe_operationalisation(ConvergenceSection(discrepancy="signed"))
    assert "fell relative to the therapist's" in signed.sentence
    turned = describe_operationalisation(ConvergenceSection(discrepancy="signed", slope="toward_zero"))
    assert "came closer" in turned.sentence
