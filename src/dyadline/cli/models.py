"""Commands about models and published tables."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dyadline.cli.console import Json, console, echo_findings, finding_row, folded, print_json


def fit_command(
    formula: Annotated[str, typer.Argument(help="For example 'y ~ t * x + (t | dyad)'.", show_default=False)],
    data: Annotated[Path, typer.Argument(help="Data file: sav, dta, xlsx, csv, tsv or parquet.", show_default=False)],
    method: Annotated[str, typer.Option(help="REML or ML.")] = "REML",
    df: Annotated[str, typer.Option(help="satterthwaite, kenward-roger or normal.")] = "satterthwaite",
    criteria: Annotated[str, typer.Option(help="spss, lme4, nlme or sas.")] = "spss",
    residual: Annotated[
        str | None, typer.Option(help="by(rater), pairs(rater, session), ar1(session), car1(week) or cs.")
    ] = None,
    json: Json = False,
) -> None:
    """Fit one mixed model from a formula as in lme4.

    Three levels: (t | dyad) + (1 | therapist). Two outcomes of a row at once: cbind(a, b) ~ t + (t | dyad).
    """
    from dyadline.data.read import read_frame
    from dyadline.inference.boundary import boundary_words
    from dyadline.inference.checks import checks
    from dyadline.inference.coefficients import coefficients
    from dyadline.inference.criteria import information_criteria
    from dyadline.inference.variance import variance_components
    from dyadline.model.fit import fit

    fitted = fit(formula, read_frame(data), method, residual=residual)
    findings = checks(fitted)
    tables = {
        "coefficients": coefficients(fitted, df=df),
        "variance_components": variance_components(fitted),
        "information_criteria": information_criteria(fitted, convention=criteria),
    }
    facts = {
        "formula": fitted.spec.formula,
        "method": fitted.method,
        "residual": fitted.spec.residual.label,
        "criterion": fitted.criterion,
        "converged": fitted.converged,
        "singular": fitted.singular,
        "boundary": boundary_words(fitted) if fitted.singular else "",
        "sigma": fitted.sigma,
        "n_rows": fitted.n_rows,
        "n_groups": fitted.n_groups,
        "groups": {grouping.name: len(grouping.labels) for grouping in fitted.design.groupings},
        "n_dropped": fitted.design.n_dropped,
        "groups_lost": list(fitted.design.lost),
        "reference_levels": {name: levels[0] for name, levels in fitted.design.levels.items()},
    }
    if json:
        notes = [finding_row(note) for note in findings]
        print_json({**facts, **{name: table.to_dicts() for name, table in tables.items()}, "findings": notes})
    else:
        from dyadline.report.writers.text import fit_tables

        console(lambda width: fit_tables(facts, tables, width=width))
        echo_findings(findings)
    if not fitted.converged:
        typer.echo("dyadline: the optimum is not certified; do not report these numbers as they are.", err=True)
        raise typer.Exit(1)


def schema() -> None:
    """Print the JSON Schema of the plan."""
    from dyadline.plan.document import plan_schema

    print_json(plan_schema())


def checktable(
    file: Annotated[Path, typer.Argument(help="CSV file: term, estimate, se, p, ... as printed.", show_default=False)],
    n: Annotated[int | None, typer.Option(help="Number of dyads, where the file has no column for it.")] = None,
    method: Annotated[str | None, typer.Option(help="REML or ML, where it is known.")] = None,
    json: Json = False,
) -> None:
    """Check a published table: which of its numbers cannot be, or are not likely.

    Columns: term, estimate, and any of model, part (fixed, variance, covariance, criterion), se, p, df, t, lower,
    upper, n. Numbers stay as printed: < .001, .050.
    """
    from dyadline.studies.published.check import VERDICTS, check_table

    remarks = check_table(file, n=n, method=method)
    if json:
        print_json(remarks.to_dicts())
        return
    counts = {verdict: remarks.filter(remarks["verdict"] == verdict).height for verdict in VERDICTS}
    said = ", ".join(f"{number} {verdict}" for verdict, number in counts.items() if number)
    typer.echo(f"{file.name}: {said or 'nothing impossible or unlikely'}.")
    for remark in remarks.iter_rows(named=True):
        place = ", ".join(filter(None, (f"row {remark['row']}", remark["model"], remark["term"])))
        typer.echo("\n" + folded(f"[{remark['verdict']}] {place}: {remark['words']}"))
