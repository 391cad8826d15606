"""Commands about power and sample size."""

from __future__ import annotations

from typing import Annotated

import typer

from dyadline.cli.console import Json, console, folded, print_json
from dyadline.cli.ranges import numbers, whole_numbers

app = typer.Typer(
    help="Power and sample size: of one slope in closed form, of a whole design by simulation.",
    no_args_is_help=True,
    rich_markup_mode=None,
)


@app.callback()
def _power() -> None:
    """Keep `slope` a verb of its own while it is the only one."""


_LISTS = "one or a list (.2,.3)"


@app.command()
def slope(
    beta: Annotated[
        str | None, typer.Option(help=f"Standardised slope of the score without error: {_LISTS}.", show_default=False)
    ] = None,
    n: Annotated[
        str | None,
        typer.Option("--n", help="Number of dyads: one, a list (96,139) or a range (60:400:20).", show_default=False),
    ] = None,
    power: Annotated[str | None, typer.Option(help=f"Wanted power: {_LISTS}.", show_default=False)] = None,
    alpha: Annotated[float, typer.Option(help="Level of the two-sided test.")] = 0.05,
    covariates: Annotated[int, typer.Option(help="Further predictors in the regression.")] = 0,
    r2_outcome: Annotated[
        float, typer.Option(help="Share of the outcome's variance that the covariates explain without the score.")
    ] = 0.0,
    r2_predictor: Annotated[
        float, typer.Option(help="R² of the score, as observed, on the covariates: 1 − 1/VIF.")
    ] = 0.0,
    reliability: Annotated[float, typer.Option(help="Of the score: share of its variance that is not error.")] = 1.0,
    json: Json = False,
) -> None:
    """Dyads, power or smallest slope of a regression, whichever is left out.

    A t test of one standardised slope, one row per dyad: --beta .3 --power .8 gives the number of dyads, --beta .3
    --n 96 the power, --n 96 --power .8 the smallest slope that is found so often.
    """
    from itertools import product

    from dyadline.inference.power import power_slope

    slopes = [None] if beta is None else numbers(beta, "--beta")
    dyads = [None] if n is None else whole_numbers(n, "--n")
    powers = [None] if power is None else numbers(power, "--power")
    found = [
        power_slope(
            beta=one_beta,
            n=one_n,
            power=one_power,
            alpha=alpha,
            covariates=covariates,
            r2_outcome=r2_outcome,
            r2_predictor=r2_predictor,
            reliability=reliability,
        )
        for one_beta, one_n, one_power in product(slopes, dyads, powers)
    ]
    if json:
        print_json(found[0].to_dict() if len(found) == 1 else [one.to_dict() for one in found])
        return
    from dyadline.report.tables.slope import conditions, slope_sentence, slope_table
    from dyadline.report.writers.text import render_text

    if len(found) == 1:
        typer.echo(folded(" ".join(filter(None, (slope_sentence(found[0]), conditions(found[0]))))) + "\n")
    console(lambda width: render_text(slope_table(found), width=width))
    if len(found) > 1 and conditions(found[0]):
        typer.echo(folded(conditions(found[0])))
