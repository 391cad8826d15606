"""Tables of the outcome models: side by side as in the paper's Table I, criteria, collinearity."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import polars as pl

from dyadline.plan.model import ModelSpec
from dyadline.plan.report import EstimateColumn
from dyadline.report.document import Cell, Column, Part, Row, RowGroup, Spanner, Symbol, Table
from dyadline.report.labels import CONVENTIONS, model_words, name, terms_in_print
from dyadline.report.numbers import decimals_for

ALPHA = 0.05

LEVELS = {"dyad": "dyads", "therapist": "therapists", "therapist:dyad": "dyads (within therapists)"}
"""Groups of random effects in print."""

COLUMNS: Mapping[EstimateColumn, Column] = {
    "std_error": Column(label="SE", symbol=True, rank=1),
    "statistic": Column(label="t or z", symbol=True, rank=3),
    "df": Column(label="df", symbol=True, rank=3),
    "p_value": Column(label="p", symbol=True),
    "interval": Column(label="95% CI", rank=2),
    "standardised": Column(label="β", symbol=True, rank=2),
}
"""What may stand beside an estimate; the statistic of a variance is z."""

BESIDE: tuple[EstimateColumn, ...] = ("std_error", "df", "p_value", "interval")
"""What does unless the plan says otherwise."""

ESTIMATES = (Column(label="Est."), *(COLUMNS[name] for name in BESIDE))
"""Columns of `estimates_row`, unless it is told otherwise."""

_EXPLAINED: Mapping[EstimateColumn, tuple[Part, ...]] = {
    "statistic": (" ", Symbol("t or z"), ": estimate over its standard error; z for variances."),
    "standardised": (
        " ",
        Symbol("β"),
        ": in standard deviations of the outcome per standard deviation, of predictors over dyads, of outcome and "
        "time over rows.",
    ),
}
"""What the note says of columns that few tables have."""

Record = Mapping[str, Any]


def model_table(
    tables: Mapping[str, pl.DataFrame],
    specs: Sequence[ModelSpec],
    *,
    columns: Sequence[EstimateColumn] = BESIDE,
    note: tuple[Part, ...] = (),
) -> Table:
    """The models side by side: fixed effects, random effects, criterion.

    Parameters
    ----------
    tables
        ``fixed_effects, random_effects, criteria`` of a result, ``imputation`` where estimates are pooled, and
        ``standardised`` where that column is asked for.
    specs
        The models in the same order, from which rows take their names and order.
    columns
        What stands beside each estimate, from left to right.
    note
        What stands under the table.
    """
    models = tables["fixed_effects"]["model"].unique(maintain_order=True).to_list()
    groups = [
        RowGroup(label="Fixed effects", rows=tuple(_fixed_rows(_fixed_effects(tables), models, specs, columns))),
        *random_groups(tables["random_effects"], models, columns=columns),
        *_fit_groups(tables, models, width=len(columns) + 1),
    ]
    spanners = [Spanner(label=a, words=b, columns=len(columns) + 1) for a, b in map(model_words, models)]
    return Table(
        key="models",
        caption="Multilevel growth models of the outcome",
        stub="Effect",
        columns=(ESTIMATES[0], *(COLUMNS[name] for name in columns)) * len(models),
        spanners=tuple(spanners),
        groups=tuple(groups),
        note=(*note, *(part for name in columns for part in _EXPLAINED.get(name, ()))),
        wide=True,
    )


def _fixed_effects(tables: Mapping[str, pl.DataFrame]) -> pl.DataFrame:
    """The table of fixed effects, with the standardised effects where there are any."""
    if "standardised" not in tables:
        return tables["fixed_effects"]
    effects = tables["standardised"].filter(pl.col("term") != "(Intercept)")
    own = effects.select("model", "term", standardised="estimate")
    return tables["fixed_effects"].join(own, on=["model", "term"], how="left", maintain_order="left")


def _fixed_rows(
    frame: pl.DataFrame, models: list[Any], specs: Sequence[ModelSpec], columns: Sequence[EstimateColumn]
) -> list[Row]:
    found = {(r["model"], r["term"]): r for r in frame.iter_rows(named=True)}
    words = terms_in_print(specs)
    # A term that no specification names (a level of a text column) still is a row.
    words |= {term: term for term in frame["term"].unique(maintain_order=True) if term not in words}
    present = set(frame["term"])
    return [
        estimates_row(label, [found.get((model, term)) for model in models], columns)
        for term, label in words.items()
        if term in present
    ]


def estimates_row(
    label: str,
    records: Sequence[Record | None],
    columns: Sequence[EstimateColumn] = BESIDE,
    *,
    decimals: int | None = None,
) -> Row:
    """One effect in every model; decimals are those that its smallest standard error asks for unless given."""
    if decimals is None:
        decimals = decimals_for(r["std_error"] for r in records if r)
    cells: list[Cell | None] = []
    for record in records:
        cells += [None] * (len(columns) + 1) if record is None else _estimate(record, decimals, columns)
    return Row(label=label, cells=tuple(cells))


def _estimate(record: Record, decimals: int, columns: Sequence[EstimateColumn]) -> list[Cell | None]:
    p, low, high = record["p_value"], record["conf_low"], record["conf_high"]
    strong = p is not None and p < ALPHA
    beta = record.get("standardised")
    beside: dict[EstimateColumn, Cell | None] = {
        "std_error": Cell(value=record["std_error"], kind="estimate", decimals=decimals),
        "statistic": Cell(value=record["statistic"], kind="statistic"),
        "df": Cell(value=record["df"], kind="df") if "df" in record else None,
        "p_value": Cell(value=p, kind="p", strong=strong),
        "interval": Cell(value=None if low is None else (low, high), kind="interval", decimals=decimals),
        "standardised": None if beta is None else Cell(value=beta, kind="estimate", decimals=2),
    }
    estimate = Cell(value=record["estimate"], kind="estimate", decimals=decimals, strong=strong)
    return [estimate, *(beside[name] for name in columns)]


def random_groups(
    frame: pl.DataFrame, models: list[Any], *, columns: Sequence[EstimateColumn] = BESIDE, plain: bool = False
) -> list[RowGroup]:
    """Variances, covariances and the residual as rows, the effects of each level by themselves.

    Parameters
    ----------
    frame
        ``model`` and the columns of a table of variance components.
    models
        In the order of the table.
    columns
        What stands beside each estimate; a variance has neither df nor a standardised value.
    plain
        Whether terms keep their names.
    """
    levels = [group for group in frame["group"].unique(maintain_order=True) if not group.startswith("Residual")]
    if len(levels) < 2:
        return [RowGroup(label="Random effects", rows=tuple(_random_rows(frame, models, columns, plain=plain)))]
    groups = []
    for level in levels:
        own = frame.filter(pl.col("group") == level)
        label = f"Random effects of {level}" if plain else f"Random effects of {LEVELS.get(level, level)}"
        groups.append(RowGroup(label=label, rows=tuple(_random_rows(own, models, columns, plain=plain))))
    rest = frame.filter(pl.col("group").str.starts_with("Residual"))
    return [*groups, RowGroup(label="Residuals", rows=tuple(_random_rows(rest, models, columns, plain=plain)))]


def _random_rows(
    frame: pl.DataFrame, models: list[Any], columns: Sequence[EstimateColumn], *, plain: bool
) -> list[Row]:
    found: dict[tuple[str, ...], dict[Any, Record]] = {}
    for record in frame.iter_rows(named=True):
        key = (record["group"], *sorted(t for t in (record["term1"], record["term2"]) if t is not None))
        found.setdefault(key, {})[record["model"]] = record
    # As in the paper: intercept, covariance, slope, and the residual last.
    order = sorted(found, key=lambda key: (key[0].startswith("Residual"), list(found).index(key)))
    rows = []
    for group, *terms in order:
        if group.startswith("Residual"):
            label = group if terms == [group] else f"{group}, {', '.join(terms)}"
        else:
            label = ", ".join(terms) if plain else random_words(tuple(terms))
        rows.append(estimates_row(label, [found[group, *terms].get(model) for model in models], columns))
    return rows


def random_words(terms: tuple[str, ...]) -> str:
    """``Intercept``, ``Slope (time)`` and ``Covariance`` of the two; other effects by their names."""
    plain = ["Intercept" if t == "(Intercept)" else "Slope (time)" if t == "time" else name(t) for t in terms]
    if len(plain) == 1:
        return plain[0]
    return "Covariance" if set(terms) == {"(Intercept)", "time"} else f"Covariance, {plain[0]} with {plain[1]}"


def _fit_groups(tables: Mapping[str, pl.DataFrame], models: list[Any], *, width: int) -> list[RowGroup]:
    """Criteria and sizes; beside those of complete cases the sizes of the completed data, where there are any."""
    criteria, imputed = tables["criteria"], tables.get("imputation")
    fitted = RowGroup(label="Fit", rows=tuple(_fit_rows(criteria, models, width=width)), aligned=False)
    if imputed is None:
        return [fitted]
    of = {r["model"]: r for r in [*criteria.iter_rows(named=True), *imputed.iter_rows(named=True)]}
    empty: list[Cell | None] = [None] * (width - 1)
    sizes = [
        Row(label=label, cells=tuple(c for m in models for c in [Cell(value=of[m][key], kind="count"), *empty]))
        for key, label in (("n_rows", "Outcome values"), ("n_dyads", "Dyads"))
    ]
    return [
        RowGroup(label="Sizes of the completed data sets", rows=tuple(sizes), aligned=False),
        replace(fitted, label="Fit to the dyads that have all predictors"),
    ]


def _fit_rows(criteria: pl.DataFrame, models: list[Any], *, width: int) -> list[Row]:
    of = {record["model"]: record for record in criteria.iter_rows(named=True)}
    first = criteria.row(0, named=True)
    minus_two = "REML criterion" if first["method"] == "REML" else "−2 log-likelihood"
    convention = CONVENTIONS.get(first["convention"], first["convention"])
    make: list[tuple[str, Callable[[Record], Cell]]] = [
        (minus_two, lambda r: Cell(value=r["criterion"], kind="criterion", decimals=1)),
        (f"AIC ({convention} convention)", lambda r: Cell(value=r["aic"], kind="criterion", decimals=1)),
        ("Outcome values", lambda r: Cell(value=r["n_rows"], kind="count")),
        ("Dyads", lambda r: Cell(value=r["n_dyads"], kind="count")),
    ]
    if first.get("n_therapists") is not None:
        make.append(("Therapists", lambda r: Cell(value=r["n_therapists"], kind="count")))
    empty: list[Cell | None] = [None] * (width - 1)
    return [
        Row(label=label, cells=tuple(c for model in models for c in [cell(of[model]), *empty])) for label, cell in make
    ]


_CRITERIA = (("criterion", "−2LL"), ("aic", "AIC"), ("aicc", "AICC"), ("caic", "CAIC"), ("bic", "BIC"))


def criteria_table(tables: Mapping[str, pl.DataFrame]) -> Table:
    """Information criteria as fitted, and by maximum likelihood on the rows that all models share."""
    fitted, common = tables["criteria"], tables.get("criteria_common")
    groups = [_criteria_group(fitted, f"As fitted ({fitted['method'][0]})")]
    if common is not None and len(common):
        same = common["n_rows"][0]
        groups.append(_criteria_group(common, f"Maximum likelihood, on the {same:,} outcome values of all models"))
    convention = CONVENTIONS.get(fitted["convention"][0], fitted["convention"][0])
    return Table(
        key="criteria",
        caption=f"Information criteria ({convention} convention)",
        stub="Model",
        columns=(
            *(Column(label=label, rank=0 if key in ("criterion", "aic", "bic") else 1) for key, label in _CRITERIA),
            Column(label="Parameters"),
            Column(label="n", symbol=True, rank=1),
            Column(label="Outcome values"),
            Column(label="Dyads"),
        ),
        groups=tuple(groups),
        note=(
            "Smaller is better. ",
            "Under REML the criteria of models with different fixed effects cannot be compared, nor can those of "
            "models on different rows; the lower half can be compared. ",
            *(["Of the dyads that have all predictors: criteria are not pooled. "] if "imputation" in tables else []),
            "Parameters: those that the convention counts. ",
            Symbol("n"),
            ": sample size in AICC, CAIC and BIC.",
        ),
    )


def _criteria_group(frame: pl.DataFrame, label: str) -> RowGroup:
    rows = []
    for record in frame.iter_rows(named=True):
        numbers = [Cell(value=record[key], kind="criterion") for key, _ in _CRITERIA]
        counts = [Cell(value=record[key], kind="count") for key in ("n_parameters", "n", "n_rows", "n_dyads")]
        title, words = model_words(record["model"])
        rows.append(Row(label=f"{title}: {words}" if words else title, cells=(*numbers, *counts)))
    return RowGroup(label=label, rows=tuple(rows))


def time_shape_table(frame: pl.DataFrame) -> Table:
    """Linear against log-linear time."""
    rows = tuple(
        Row(
            label={"linear": "Linear", "log-linear": "Log-linear, ln(1 + time)", "quadratic": "Quadratic"}.get(
                r["shape"], r["shape"]
            ),
            cells=(
                Cell(value=r["criterion"], kind="criterion"),
                Cell(value=r["aic"], kind="criterion"),
                Cell(value=r["aic"] - frame["aic"].min(), kind="criterion"),
                Cell(value=r["n_rows"], kind="count"),
            ),
        )
        for r in frame.iter_rows(named=True)
    )
    labels = ("−2LL", "AIC", "ΔAIC", "Outcome values")
    return Table(
        key="time_shape",
        caption="Shape of change over time",
        stub="Shape",
        columns=tuple(Column(label=label) for label in labels),
        groups=(RowGroup(rows=rows),),
        note=(
            "Models with time alone, by maximum likelihood on the same rows. Smaller is better; ΔAIC: distance "
            "from the best.",
        ),
    )


def level_table(frame: pl.DataFrame) -> Table:
    """The test whether therapists matter."""
    words = {"intercept": "Intercepts vary over therapists", "slope": "Slopes vary over therapists too"}
    rows = tuple(
        Row(
            label=words[r["effect"]],
            cells=(
                Cell(value=r["criterion_without"], kind="criterion"),
                Cell(value=r["criterion_with"], kind="criterion"),
                Cell(value=r["statistic"], kind="statistic"),
                Cell(value=r["distribution"], kind="text"),
                Cell(value=r["p_value"], kind="p"),
                Cell(value=r["variance"], kind="estimate", decimals=4 if r["variance"] < 0.1 else 2),
                Cell(value=r["icc"], kind="proportion"),
            ),
        )
        for r in frame.iter_rows(named=True)
    )
    first = frame.row(0, named=True)
    number = model_words(first["model"])[0]
    return Table(
        key="level_test",
        caption=f"Do therapists differ? Test on {number}",
        stub="Effect",
        columns=(
            Column(label="Without"),
            Column(label="With"),
            Column(label="Difference"),
            Column(label="If the variance is zero", align="text"),
            Column(label="p", symbol=True),
            Column(label="Variance"),
            Column(label="ICC"),
        ),
        spanners=(
            Spanner(label="REML criterion" if first["method"] == "REML" else "−2 log-likelihood", columns=3),
            Spanner(label="Test", columns=2),
            Spanner(label="Estimate", columns=2),
        ),
        groups=(RowGroup(rows=rows),),
        note=(
            f"On the {first['n_rows']:,} outcome values of {first['n_dyads']:,} dyads whose therapist is known "
            f"({first['n_therapists']:,} therapists). A variance cannot be negative, so that the difference follows a "
            "mixture of χ² distributions where it is zero (Stram & Lee, 1994). Variance: of the effect. ICC: share of "
            "the therapists in the variance of the outcome where time is 0.",
        ),
    )


def collinearity_table(collinearity: pl.DataFrame, condition: pl.DataFrame | None, specs: Sequence[ModelSpec]) -> Table:
    """Variance inflation factors, with the condition number as the last row."""
    models = collinearity["model"].unique(maintain_order=True).to_list()
    words = terms_in_print(specs)
    words |= {term: term for term in collinearity["term"].unique(maintain_order=True) if term not in words}
    vif = {(r["model"], r["term"]): r["vif"] for r in collinearity.iter_rows(named=True)}
    present = set(collinearity["term"])
    rows = [
        Row(label=label, cells=tuple(_known(vif.get((model, term))) for model in models))
        for term, label in words.items()
        if term in present
    ]
    groups = [RowGroup(label="Variance inflation factor", rows=tuple(rows))]
    if condition is not None and len(condition):
        number = {r["model"]: r["condition_number"] for r in condition.iter_rows(named=True)}
        groups.append(
            RowGroup(
                label="All predictors together",
                rows=(Row(label="Condition number", cells=tuple(_known(number.get(m)) for m in models)),),
            )
        )
    return Table(
        key="collinearity",
        caption="Collinearity of the predictors",
        stub="Predictor",
        columns=tuple(Column(label=model_words(model)[0]) for model in models),
        groups=tuple(groups),
        note=(
            "Of the predictors over dyads, without time. 1.00: unrelated to the others; from about 5 on, the effects "
            "of predictors are hard to tell apart.",
        ),
    )


def _known(value: float | None) -> Cell | None:
    return None if value is None else Cell(value=value)
