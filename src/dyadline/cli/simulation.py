"""The command that draws synthetic studies."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from dyadline.cli.console import Force, progress
from dyadline.errors import PlanError
from dyadline.words import counted

if TYPE_CHECKING:
    from dyadline.plan.analysis import AnalysisPlan
    from dyadline.plan.truth import Truth
    from dyadline.studies.simulation.blocks import Drawing


def simulate(
    study: Annotated[
        str,
        typer.Argument(
            help="What it shall be like: study1 or study2 (the bundled examples), a parameter file (.toml), or the "
            "plan of your own data, whose estimates are then the parameters.",
            metavar="STUDY",
            show_default=False,
        ),
    ],
    dyads: Annotated[int | None, typer.Option(help="Number of dyads; the study's own by default.")] = None,
    seed: Annotated[int | None, typer.Option(help="Seed of the random numbers; the study's own by default.")] = None,
    items: Annotated[bool, typer.Option("--items", help="Write answers to single items instead of scores.")] = False,
    exact: Annotated[
        bool,
        typer.Option(
            "--exact", help="Draw a sample with exactly the means, variances and covariances of the parameters."
        ),
    ] = False,
    out: Annotated[
        Path | None, typer.Option(help="File to write (.csv or .parquet); on the screen if there is none.")
    ] = None,
    plan: Annotated[Path | None, typer.Option(help="Write the plan that goes with the file as well.")] = None,
    parameters: Annotated[
        Path | None, typer.Option(help="Write the parameters as a file to edit; without --out, nothing else.")
    ] = None,
    force: Force = False,
) -> None:
    """Draw a synthetic study: like the bundled ones, from a parameter file, or like your own.

    dyadline simulate study1 --parameters my_study.toml     (parameters to edit)

    dyadline simulate my_study.toml --out s.csv --plan s.toml     (a study from them)
    """
    from dyadline.plan.document import plan_text
    from dyadline.plan.truth_document import truth_text
    from dyadline.publication import write_whole
    from dyadline.studies.simulation.frame import truth_plan
    from dyadline.studies.simulation.simulate import drawing, is_bundled_draw
    from dyadline.studies.twins import twin_plan

    _check_targets(out, plan, parameters, force=force)
    source = _source(study)
    asked = drawing(source, dyads=dyads, seed=seed, items=items, exact=exact)
    bundled = is_bundled_draw(source, dyads=dyads, exact=exact)
    if parameters is not None:
        truth = asked.truth.model_copy(update={"seed": asked.seed})
        write_whole(parameters, truth_text(truth).encode())
        typer.echo(f"Wrote {parameters}: the parameters of {_title(truth)}.", err=True)
        if out is None:
            return
    rows = _write(asked, out, bundled=study if bundled else None)
    where = "" if out is None else f"Wrote {out}: "
    kind = "exact moments, " if exact else ""
    amount = f"{rows:,} rows of {counted(asked.truth.dyads, 'dyad')}"
    typer.echo(
        f"{where}{amount}, synthetic ({_title(asked.truth)}; {kind}seed {asked.seed}).",
        err=True,
    )
    if out is not None and plan is not None:
        file = os.path.relpath(out, plan.parent)
        made: AnalysisPlan = (
            twin_plan(study, file=file, items=items) if bundled else truth_plan(asked.truth, file, items=items)
        )
        write_whole(plan, plan_text(made).encode())
        typer.echo(f"Wrote {plan}. Then: dyadline run {plan}", err=True)


def _check_targets(out: Path | None, plan: Path | None, parameters: Path | None, *, force: bool) -> None:
    """Refuse files that cannot be written before anything is drawn."""
    from dyadline.studies.simulation.blocks import check_suffix

    if out is not None:
        check_suffix(out)
    if plan is not None and out is None:
        raise PlanError("A plan needs the name of the data file", where="--plan", way_out="Name it with --out")
    for path in (out, plan, parameters):
        if path is not None and path.exists() and not force:
            raise PlanError(
                f"{path.name!r} is already there; nothing was written", way_out="Use another name or --force"
            )


def _source(study: str) -> str | Truth:
    """The study itself, or the truth that the result of a plan estimates."""
    from dyadline.plan.document import read_plan, toml_content, toml_file
    from dyadline.studies.simulation.estimated import truth_of_result
    from dyadline.workflow import run

    if Path(study).suffix.lower() != ".toml":
        if Path(study).suffix:
            raise PlanError(
                f"{Path(study).name!r} is neither a parameter file nor a plan (.toml)",
                way_out="For data: write a plan with dyadline new, then simulate from that",
            )
        return study
    path, text = toml_file(study, "parameter file")
    if "columns" not in toml_content(text, path.name, "parameter file"):
        return study
    with progress("Reading, scoring and fitting"):
        return truth_of_result(run(read_plan(path)))


def _write(asked: Drawing, out: Path | None, *, bundled: str | None) -> int:
    """Write the study, block by block where it is large; the number of its rows."""
    from io import BytesIO

    from dyadline.publication import write_whole
    from dyadline.studies.simulation.blocks import blocks, write_study
    from dyadline.studies.twins import simulate as simulate_twin

    if bundled is not None:
        frame = simulate_twin(bundled, dyads=asked.truth.dyads, seed=asked.seed, items=asked.items)
        if out is None:
            typer.echo(frame.write_csv(), nl=False)
            return frame.height
        content = BytesIO()
        if out.suffix.lower() == ".csv":
            frame.write_csv(content)
        else:
            frame.write_parquet(content)
        write_whole(out, content.getvalue())
        return frame.height
    if out is not None:
        with progress(f"Drawing {asked.truth.dyads} dyads"):
            return write_study(asked, out)
    rows = 0
    for frame in blocks(asked):
        sys.stdout.write(frame.write_csv(include_header=rows == 0))
        rows += frame.height
    return rows


def _title(truth: Truth) -> str:
    return truth.title or "an untitled study"
