"""A hand-made result: the estimates are those of the paper's Table I, the ratings follow known lines."""

from __future__ import annotations

import math
from types import SimpleNamespace
from typing import Any

import polars as pl
import pytest

from dyadline.errors import Finding
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.recipes import outcome_model

# Table I of Nissen-Lie et al. (2020): model, term, estimate, standard error, p.
TABLE_1 = [
    (1, "(Intercept)", 33.4, 1.16, 0.0001),
    (1, "time", -0.79, 0.13, 0.0001),
    (2, "(Intercept)", 32.78, 0.84, 0.0001),
    (2, "time", -0.82, 0.14, 0.0001),
    (2, "baseline", 0.88, 0.08, 0.0001),
    (2, "convergence", 1.19, 2.44, 0.626),
    (2, "time:baseline", 0.0123, 0.021, 0.55),
    (2, "time:convergence", -0.08, 0.39, 0.831),
    (3, "(Intercept)", 32.43, 1.50, 0.0001),
    (3, "time", -0.94, 0.25, 0.0001),
    (3, "baseline", 0.77, 0.10, 0.0001),
    (3, "early_patient", -0.69, 1.45, 0.635),
    (3, "early_therapist", -4.42, 2.03, 0.032),
    (3, "early_discrepancy", 1.05, 3.33, 0.753),
    (3, "development", 0.66, 1.61, 0.683),
    (3, "convergence", -0.05, 2.87, 0.986),
    (3, "time:baseline", 0.0456, 0.031, 0.144),
    (3, "time:early_patient", -0.08, 0.23, 0.745),
    (3, "time:early_therapist", -0.16, 0.32, 0.615),
    (3, "time:early_discrepancy", 0.37, 0.55, 0.504),
    (3, "time:development", -0.87, 0.29, 0.004),
    (3, "time:convergence", -0.333, 0.46, 0.484),
    (3, "development:convergence", 2.5, 4.1, 0.544),
    (3, "time:development:convergence", 0.11, 0.73, 0.881),
]

RANDOM = {
    1: [(49.84, 9.35), (-1.85, 1.11), (1.24, 0.26)],
    2: [(50.78, 10.30), (-1.81, 1.10), (1.31, 0.26)],
    3: [(49.10, 9.22), (-1.94, 1.13), (1.22, 0.26)],
}

AIC = {1: 6953.0, 2: 6500.0, 3: 6449.0}


def make_plan(**columns: Any) -> AnalysisPlan:
    roles = {
        "dyad": "dyad",
        "time": "session",
        "patient_rating": "wai_p",
        "therapist_rating": "wai_t",
        "outcome": "bdi",
        "baseline": "bdi_pre",
    }
    return AnalysisPlan.model_validate({"title": "Study 1", "data": {"file": "a.csv"}, "columns": roles | columns})


def make_result(
    *, dyads: int = 96, occasions: int = 14, plan: AnalysisPlan | None = None, findings: tuple[Finding, ...] = ()
) -> Any:
    """What the report reads of an analysis, with names and types as the other floors give them."""
    plan = plan or make_plan()
    rows = pl.DataFrame([_row(j, t) for j in range(dyads) for t in range(occasions) if (j + t) % 9])
    scores = _scores(dyads)
    fits = tuple(
        SimpleNamespace(spec=outcome_model(number, plan), n_rows=len(rows), n_groups=dyads, method="REML")
        for number in plan.models.run
    )
    dataset = SimpleNamespace(
        rows=rows,
        dyads=pl.DataFrame({"dyad": scores["dyad"], "baseline": scores["baseline"]}),
        names={"time": "session", "patient_rating": "wai_p", "therapist_rating": "wai_t", "outcome": "bdi"},
        origin=1.0,
        findings=(),
        n_rows_read=len(rows) + 3,
        source="a.csv",
    )
    return SimpleNamespace(
        plan=plan,
        dataset=dataset,
        scoring=_scoring(rows, scores),
        scores=scores,
        fits=fits,
        tables=_tables(rows),
        findings=findings,
    )


def _row(j: int, t: int) -> dict[str, Any]:
    return {
        "row": 14 * j + t + 1,
        "dyad": f"SECRET-{j}",
        "time": float(t + 1),
        "t": float(t),
        "patient_rating": 4.9 + 0.065 * t + math.sin(j) + 0.3 * math.sin(7 * j + t),
        "therapist_rating": 5.1 + 0.035 * t + 0.7 * math.cos(j) if (j * t) % 11 != 1 else None,
        "outcome": 33.0 - 0.8 * t + 7 * math.sin(3 * j) + 4 * math.cos(5 * j + 2 * t),
    }


def _scores(dyads: int) -> pl.DataFrame:
    j = range(dyads)
    raw = [math.sin(2.1 * k) * 0.7 for k in j]
    low = min(raw)
    return pl.DataFrame(
        {
            "dyad": [f"SECRET-{k}" for k in j],
            "convergence": [math.log(x - low + 1) for x in raw],
            "early_patient": [4.9 + math.sin(k) for k in j],
            "early_therapist": [5.1 + 0.7 * math.cos(k) for k in j],
            "early_discrepancy": [-0.2 + math.sin(k) - 0.7 * math.cos(k) for k in j],
            "development": [0.6 + 0.4 * math.cos(1.7 * k) for k in j],
            "baseline": [35.8 + 9.5 * math.sin(3 * k) for k in j],
            "reasons": ["" for _ in j],
            "convergence_raw": raw,
            "crossing": [k % 3 == 0 for k in j],
            "n_occasions": [12 for _ in j],
        }
    )


def _scoring(rows: pl.DataFrame, scores: pl.DataFrame) -> Any:
    normality = [
        {"stage": "before", "n": 96, "mean": 0.01, "sd": 0.5, "skewness": 0.8, "shapiro_w": 0.953, "shapiro_p": 0.0004},
        {"stage": "after", "n": 96, "mean": 0.5, "sd": 0.3, "skewness": -0.1, "shapiro_w": 0.98, "shapiro_p": 0.137},
    ]
    curves = [
        {"dyad": dyad, "rater": rater, "intercept": level, "slope": slope}
        for rater, slope in (("patient", 0.065), ("therapist", 0.035))
        for dyad, level in zip(scores["dyad"], scores[f"early_{rater}"], strict=True)
    ]
    discrepancies = rows.drop_nulls().select(
        "dyad", "time", "t", discrepancy=(pl.col("patient_rating") - pl.col("therapist_rating")).abs()
    )
    return SimpleNamespace(
        scores=scores,
        shift=1.6987,
        power=None,
        curves=pl.DataFrame(curves),
        discrepancies=discrepancies,
        normality=pl.DataFrame(normality),
        reliability=pl.DataFrame({"score": ["convergence", "early_patient"], "reliability": [0.613, 0.948]}),
        simulated=None,
        window=(0.0, 13.0),
        findings=(),
        growth=None,
    )


def _tables(rows: pl.DataFrame) -> dict[str, pl.DataFrame]:
    fixed = [
        {
            "model": model,
            "term": term,
            "estimate": estimate,
            "std_error": se,
            "df": 91.37 + model,
            "statistic": estimate / se,
            "p_value": p,
            "conf_low": estimate - 1.99 * se,
            "conf_high": estimate + 1.99 * se,
        }
        for model, term, estimate, se, p in TABLE_1
    ]
    random = [
        {
            "model": model,
            "group": group,
            "term1": one,
            "term2": two,
            "estimate": estimate,
            "std_error": se,
            "statistic": estimate / se,
            "p_value": 0.0001 if two is None else 0.096,
            "conf_low": estimate - 1.96 * se,
            "conf_high": estimate + 1.96 * se,
        }
        for model, values in RANDOM.items()
        for (group, one, two), (estimate, se) in zip(
            [
                ("dyad", "(Intercept)", None),
                ("dyad", "(Intercept)", "time"),
                ("dyad", "time", None),
                ("Residual", "Residual", None),
            ],
            [*values, (17.98, 0.86)],
            strict=True,
        )
    ]
    variables = ("patient_rating", "therapist_rating", "outcome")
    described = pl.concat(
        rows.select("time", value=variable)
        .drop_nulls()
        .group_by("time")
        .agg(
            n=pl.len().cast(pl.Int64),
            mean=pl.col("value").mean(),
            sd=pl.col("value").std(),
            min=pl.col("value").min(),
            max=pl.col("value").max(),
        )
        .sort("time")
        .select(pl.lit(variable).alias("variable"), pl.all())
        for variable in variables
    )
    flow = rows.group_by("time").agg(dyads=pl.len(), **{v: pl.col(v).count() for v in variables}).sort("time")
    return {
        "fixed_effects": pl.DataFrame(fixed),
        "random_effects": pl.DataFrame(random),
        "criteria": _criteria("REML"),
        "criteria_common": _criteria("ML"),
        "time_shape": pl.DataFrame(
            {
                "shape": ["linear", "log-linear"],
                "criterion": [6941.2, 6963.8],
                "aic": [6953.2, 6975.8],
                "n_rows": [1195] * 2,
            }
        ),
        "descriptives": described,
        "flow": flow.with_columns(last_seen=pl.lit(1)),
        "collinearity": pl.DataFrame({"model": [2, 2], "term": ["baseline", "convergence"], "vif": [1.043, 1.287]}),
        "condition": pl.DataFrame({"model": [2], "condition_number": [1.618]}),
    }


def _criteria(method: str) -> pl.DataFrame:
    return pl.DataFrame(
        [
            {
                "model": model,
                "convention": "spss",
                "method": method,
                "criterion": aic - 8,
                "aic": aic,
                "aicc": aic + 0.04,
                "caic": aic + 24.3,
                "bic": aic + 20.3,
                "n_parameters": 4,
                "n": 1085,
                "n_rows": 1089,
                "n_dyads": 96,
            }
            for model, aic in AIC.items()
        ]
    )


@pytest.fixture(scope="session")
def result() -> Any:
    return make_result()


@pytest.fixture(scope="session")
def page(result: Any) -> str:
    from dyadline.report.compose import compose
    from dyadline.report.writers.html import write_html

    return write_html(compose(result))


@pytest.fixture(scope="session")
def result_maker() -> Any:
    return make_result


@pytest.fixture(scope="session")
def plan_maker() -> Any:
    return make_plan


def _said(blocks: Any, labels: Any = None) -> str:
    """Blocks as a reader sees them, a line each."""
    from dyadline.report.document import Cell, Equation, Heading, Paragraph, Reference, Symbol
    from dyadline.report.numbers import words

    def part(p: Any) -> str:
        if isinstance(p, Cell):
            return words(p)
        if isinstance(p, Reference):
            return str((labels or {}).get(p.anchor, p.anchor))
        return p.letters if isinstance(p, Symbol) else str(p)

    lines = []
    for block in blocks:
        if isinstance(block, Heading):
            lines.append(f"# {block.title}")
        elif isinstance(block, Equation):
            lines.append(f"$ {block.words}")
        elif isinstance(block, Paragraph):
            lines.append(" ".join(filter(None, (block.heading, "".join(map(part, block.parts))))))
    return "\n".join(lines).replace("\u00a0", " ")


@pytest.fixture(scope="session")
def said() -> Any:
    return _said


@pytest.fixture(scope="session")
def twin() -> Any:
    """Results of the bundled twins, each computed once, by what the plan has changed."""
    from functools import cache

    from dyadline.studies.twins import simulate, twin_data, twin_plan
    from dyadline.workflow import run

    @cache
    def made(study: str, changes: tuple[tuple[str, str, Any], ...] = (), *, items: bool = False) -> Any:
        plan = twin_plan(study, items=items)
        sections: dict[str, dict[str, Any]] = {}
        for section, key, value in changes:
            sections.setdefault(section, {})[key] = value
        asked = plan.model_dump()
        for section, values in sections.items():
            asked[section] = asked[section] | values
        data = simulate(study, items=True) if items else twin_data(study)
        return run(AnalysisPlan.model_validate(asked), data)

    return made
