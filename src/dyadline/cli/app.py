"""The command line: verbs over the same functions that Python users call; no rule of its own.

Exit status: 0 done, 1 the analysis found no answer, 2 the plan or the call is wrong, 3 the data are wrong.
Whatever is heavy is imported inside the command that needs it, so that help and mistakes answer at once.
"""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from dyadline import __version__
from dyadline.cli import certify, measures, models, power, power_design, simulation, study
from dyadline.errors import DyadlineError

app = typer.Typer(
    help="Alliance convergence and outcome: from session ratings to scores, models and a report.",
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode=None,  # plain help and usage errors: boxes would take a fifth of a second to import
    pretty_exceptions_enable=False,  # a pretty traceback would print the values of local variables: patient data
)


def main() -> None:
    """Run the command line; errors become one message on standard error and an exit status."""
    try:
        app()
    except DyadlineError as error:
        typer.echo(f"dyadline: {error}", err=True)
        sys.exit(error.exit_code)
    except BrokenPipeError:
        sys.stderr.close()
        sys.exit(0)


def _version(wanted: bool) -> None:
    if wanted:
        typer.echo(f"dyadline {__version__}")
        raise typer.Exit


@app.callback()
def _everything(
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", callback=_version, is_eager=True)
    ] = False,
) -> None:
    pass


app.command()(study.demo)
app.command()(study.new)
app.command()(study.check)
app.command()(study.describe)
app.command()(study.run)
app.command("fit")(models.fit_command)
app.command()(simulation.simulate)
app.command()(models.checktable)
power.app.command()(power_design.design)
app.add_typer(power.app, name="power")
app.command()(measures.measures)
app.command()(certify.certify)
app.command()(models.schema)

if __name__ == "__main__":
    main()
