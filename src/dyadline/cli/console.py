"""What the commands share: options, progress, findings, JSON, folders."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dyadline.errors import DataError, Finding, PlanError
from dyadline.words import counted

if TYPE_CHECKING:
    import polars as pl
    from rich.text import Text

    from dyadline.plan.analysis import AnalysisPlan
    from dyadline.plan.report import Format
    from dyadline.result import AnalysisResult

Force = Annotated[bool, typer.Option("--force", help="Write over what is there.")]
Json = Annotated[bool, typer.Option("--json", help="Answer in JSON on standard output.")]
Strict = Annotated[bool, typer.Option("--strict", help="Refuse data with warnings: exit status 3, nothing written.")]
Formats = Annotated[
    str | None,
    typer.Option("--format", help="Of the report: html,docx,pdf,tex,md or all; else as in the plan."),
]
Figures = Annotated[bool, typer.Option("--figures", help="Write each figure as SVG, PDF and PNG, with its data.")]
Individual = Annotated[
    bool,
    typer.Option("--individual", help="Show single dyads in figures, under pseudonyms."),
]
PlanFile = Annotated[Path, typer.Argument(help="The plan, a TOML file.", metavar="PLAN", show_default=False)]


def finding_row(finding: Finding) -> dict[str, Any]:
    from dataclasses import asdict

    return asdict(finding)


def echo_findings(findings: Sequence[Finding], *, notes: bool = True) -> None:
    """Errors first, then warnings, then notes, each with its place where the words do not say it."""
    from dyadline.data.findings import by_level
    from dyadline.errors import sentence

    shown = [f for f in by_level(findings) if notes or f.level != "note"]
    for finding in shown:
        typer.echo("\n" + folded(f"[{finding.level}] {sentence(finding)}{_place(finding)}"))
    if len(findings) > len(shown):
        typer.echo(f"\n{len(findings) - len(shown)} further notes are in the report.")


def _place(finding: Finding) -> str:
    from dyadline.data.findings import row_numbers

    places = []
    if finding.column and finding.column not in finding.words:
        places.append(f"column {finding.column}")
    if finding.dyad:
        places.append(f"{'dyads' if ', ' in finding.dyad else 'dyad'} {finding.dyad}")
    if finding.rows and not re.search(r"\brows? \d", finding.words):
        places.append(f"{'rows' if len(finding.rows) > 1 else 'row'} {row_numbers(finding.rows)}")
    return f" ({'; '.join(places)})" if places else ""


def counts_by_level(findings: Sequence[Finding]) -> str:
    """`1 error, 2 warnings, 3 notes`, without what there is none of; empty for nothing."""
    levels = [finding.level for finding in findings]
    return ", ".join(counted(levels.count(level), level) for level in ("error", "warning", "note") if level in levels)


def check_strict(findings: Sequence[Finding]) -> None:
    """Refuse where anything is worse than a note.

    Raises
    ------
    DataError
        Saying how many warnings there are.
    """
    warnings = sum(f.level != "note" for f in findings)
    if warnings:
        raise DataError(
            f"{counted(warnings, 'warning')}, and --strict was asked for", way_out="Mend the data, or run without it"
        )


def folded(words: str) -> str:
    from shutil import get_terminal_size
    from textwrap import fill

    return fill(words, width=min(100, get_terminal_size((100, 24)).columns), subsequent_indent="  ")


def print_json(value: Any) -> None:
    import json
    import math

    def plain(item: Any) -> Any:
        if isinstance(item, float) and not math.isfinite(item):
            return None  # JSON has no infinity: normal tests have infinite df
        if isinstance(item, dict):
            return {key: plain(inner) for key, inner in item.items()}
        return [plain(inner) for inner in item] if isinstance(item, list | tuple) else item

    typer.echo(json.dumps(plain(value), indent=1, ensure_ascii=False, allow_nan=False))


def console(text: Callable[[int], Text]) -> None:
    """Print a table on standard output, as wide as the terminal is."""
    from rich.console import Console

    console = Console(highlight=False)
    console.print(text(max(80, console.width)))


@contextmanager
def progress(words: str) -> Iterator[None]:
    """A spinner on standard error, and nothing where that is not a terminal."""
    if not sys.stderr.isatty():
        yield
        return
    from rich.console import Console

    with Console(stderr=True).status(words):
        yield


def check_free(folder: Path, *, force: bool) -> None:
    if folder.exists() and not folder.is_dir():
        raise PlanError(f"{folder.name!r} is a file, not a folder", way_out="Name another with --out")
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise PlanError(
            f"The folder {folder.resolve().name!r} is not empty; nothing was written",
            way_out="Use --out for another, or --force",
        )


def claim_folder(folder: Path, *, force: bool) -> None:
    from dyadline.workflow import make_folder

    check_free(folder, force=force)
    make_folder(folder)


def formats_asked(formats: str | None, plan: AnalysisPlan) -> tuple[Format, ...]:
    """The report's formats: those of the command line, else those of the plan.

    Raises
    ------
    PlanError
        For a name that is no format.
    """
    from dyadline.errors import did_you_mean
    from dyadline.plan.report import FORMATS

    if formats is None:
        return plan.report.formats
    names = [name.strip().lower() for name in formats.split(",") if name.strip()]
    if names == ["all"]:
        return FORMATS
    for name in names or [formats]:
        if name not in FORMATS:
            near = did_you_mean(name, FORMATS)
            raise PlanError(f"{name!r} is no format of a report", where="--format", way_out=near)
    return tuple(form for form in FORMATS if form in names)


def write_results(
    result: AnalysisResult, folder: Path, formats: Sequence[Format], *, figures: bool, individual: bool
) -> None:
    """Report in each format, tables, and if asked for each figure as a file."""
    from dyadline.workflow import write_reports

    write_tables(result.tables, folder)
    with progress("Writing the report"):
        write_reports(result, folder, formats, figures=figures, individual=individual)


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path) -> None:
    """Each table at full precision as ``tables/NAME.csv``, safe to open in a spreadsheet."""
    from dyadline.report.writers.exports import frame_csv
    from dyadline.workflow import make_folder, write_whole

    make_folder(folder / "tables")
    for name, table in tables.items():
        write_whole(folder / "tables" / f"{name}.csv", frame_csv(table))


def answer(result: AnalysisResult, folder: Path, formats: Sequence[Format], *, json: bool) -> None:
    if json:
        tables = {name: table.to_dicts() for name, table in result.tables.items()}
        print_json({"title": result.plan.title, **tables, "findings": [finding_row(f) for f in result.findings]})
        return
    from dyadline.report.writers.text import main_table

    console(lambda width: main_table(result, width=width))
    echo_findings(result.findings, notes=False)
    reports = ", ".join(str(folder / f"report.{form}") for form in formats)
    typer.echo(f"\nReport: {reports}\nTables: {folder / 'tables'}")
