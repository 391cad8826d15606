"""Commands about power and sample size."""

from __future__ import annotations

from typing import Annotated

import typer

from dyadline.cli.console import Json, console, folded, print_json
from dyadline.cli.ranges import numbers, whole_numbers

app = typer.Typer(
    help="Power and number of dyads: by a formula (slope), or by simulating the whole study (design).",
    no_args_is_help=True,
    rich_markup_mode=None,
)


_LISTS = "one or a list such as .2,.3"


@app.command()
def slope(
    beta: Annotated[
        str | None,
        typer.Option(
            help=f"Standardised slope of the outcome on the score, without error of the score: {_LISTS}. With one "
            "predictor it is their correlation.",
            metavar="NUMBERS",
            show_default=False,
        ),
    ] = None,
    n: Annotated[
        str | None,
        typer.Option(
            "--n",
            help="Number of dyads: one, a list such as 96,139, or a range from:to:step such as 60:400:20.",
            metavar="NUMBERS",
            show_default=False,
        ),
    ] = None,
    power: Annotated[
        str | None,
        typer.Option(help="Power that is wanted: one or a list such as .8,.9.", metavar="NUMBERS", show_default=False),
    ] = None,
    alpha: Annotated[float, typer.Option(help="Level of the two-sided test.")] = 0.05,
    reliability: Annotated[
        float, typer.Option(help="Reliability of the score: the share of its variance that is not error.")
    ] = 1.0,
    covariates: Annotated[int, typer.Option(help="Number of covariates, such as the baseline.")] = 0,
    r2_outcome: Annotated[
        float, typer.Option(help="Share of the outcome's variance that covariates explain without the score.")
    ] = 0.0,
    r2_predictor: Annotated[
        float, typer.Option(help="Share of the score's variance that covariates explain: 1 − 1/VIF.")
    ] = 0.0,
    json: Json = False,
) -> None:
    """By a formula: dyads, power or smallest slope, from the other two.

    For a regression with one row per dyad; it knows nothing of sessions, drop-out or therapists.

    --beta .3 --power .8 gives the number of dyads, --beta .3 --n 96 the power, and --n 96 --power .8 the smallest
    slope that is found so often.
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
