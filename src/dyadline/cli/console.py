"""What the commands share: options, progress, findings, JSON, folders."""

from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from dyadline.errors import DataError, Finding, PlanError
from dyadline.words import counted, listed

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
    """Refuse a folder that cannot be written into, before anything is computed for it.

    Raises
    ------
    PlanError
        A file is in its place, it is not the user's, or it is not empty and `force` is not given.
    """
    above = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not above.is_dir():
        raise PlanError(f"{above.name!r} is a file, not a folder", way_out="Name another with --out")
    if not os.access(above, os.W_OK | os.X_OK):
        raise PlanError(
            f"The folder {above.resolve().name!r} cannot be written into", way_out="Name another with --out"
        )
    if not force and folder.is_dir() and any(folder.iterdir()):
        raise PlanError(
            f"The folder {folder.resolve().name!r} is not empty; nothing was written",
            way_out="Use --out for another, or --force",
        )


def claim_folder(folder: Path, *, force: bool) -> None:
    from dyadline.publication import make_folder

    check_free(folder, force=force)
    make_folder(folder)


def formats_asked(formats: str | None, plan: AnalysisPlan) -> tuple[Format, ...]:
    """The report's formats: those of the command line, else those of the plan.

    Raises
    ------
    PlanError
        For a name that is no format.
    """
    return plan.report.formats if formats is None else named_formats(formats)


def named_formats(formats: str) -> tuple[Format, ...]:
    """Formats by their names, with a comma between; errors as in `formats_asked`."""
    from dyadline.errors import did_you_mean
    from dyadline.plan.report import FORMATS

    known = (*FORMATS, "all")
    names = [name.strip().lower() for name in formats.split(",") if name.strip()]
    choose = f"Name one or more of {','.join(FORMATS)}, or all"
    if not names:
        raise PlanError("No format of a report is named", where="--format", way_out=choose)
    for name in names:
        if name not in known:
            near = did_you_mean(name, known) or choose
            raise PlanError(f"{name!r} is no format of a report", where="--format", way_out=near)
    return FORMATS if "all" in names else tuple(form for form in FORMATS if form in names)


def write_results(
    result: AnalysisResult, folder: Path, formats: Sequence[Format], *, figures: bool, individual: bool
) -> list[Path]:
    """Report in each format, tables, syntax, and if asked for each figure as a file; returns what was written."""
    from dyadline.publication import write_reports

    with progress("Writing the report"):
        written = write_reports(result, folder, formats, figures=figures, individual=individual)
    return [*written, *write_tables(result.tables, folder)]


def write_tables(tables: Mapping[str, pl.DataFrame], folder: Path) -> list[Path]:
    """Each table at full precision as ``tables/NAME.csv``, safe to open in a spreadsheet."""
    from dyadline.publication import make_folder, write_whole
    from dyadline.report.writers.exports import frame_csv

    make_folder(folder / "tables")
    return [write_whole(folder / "tables" / f"{name}.csv", frame_csv(table)) for name, table in tables.items()]


def answer(result: AnalysisResult, folder: Path, written: Sequence[Path], *, json: bool) -> None:
    """The main table, warnings and where everything is, or all tables as JSON."""
    if json:
        tables = {name: table.to_dicts() for name, table in result.tables.items()}
        print_json({"title": result.plan.title, **tables, "findings": [finding_row(f) for f in result.findings]})
    else:
        from dyadline.report.writers.text import main_table

        console(lambda width: main_table(result, width=width))
        echo_findings(result.findings, notes=False)
        reports = ", ".join(str(path) for path in written if path.parent == folder and path.stem == "report")
        typer.echo(f"\nReport: {reports}")
        for name, title in FOLDERS.items():
            if any(path.parent == folder / name for path in written):
                typer.echo(f"{title}: {folder / name}")
    if (key := folder / "tables" / "pseudonyms.csv") in written:
        typer.echo(f"The key to the pseudonyms is {key}: do not pass it on with the report.", err=True)
    older = _older(folder, written)
    if older:
        typer.echo(f"Left from another run, not of this one: {listed(older[:9], total=len(older))}.", err=True)


FOLDERS = {
    "report-tables": "Tables of the report",
    "tables": "Tables of the analysis",
    "figures": "Figures",
    "syntax": "Syntax for R, SPSS and Stata",
}


def _older(folder: Path, written: Sequence[Path]) -> list[str]:
    """What lies in a folder of results under names that a run gives, and is not of this one."""
    folders = {path.parent for path in written}
    found = [
        path
        for pattern in ("report.*", "report-figures/*", *(f"{f}/*" for f in FOLDERS))
        for path in folder.glob(pattern)
    ]
    left = [path if path.parent in folders else path.parent for path in found if path not in set(written)]
    return sorted({str(path.relative_to(folder)) for path in left})
