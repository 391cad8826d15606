"""The command that lists and explains measures."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from dyadline.cli.console import Json, print_json
from dyadline.errors import PlanError


def measures(
    name: Annotated[str | None, typer.Argument(help="One to explain; all are listed otherwise.")] = None,
    folder: Annotated[Path, typer.Option(help="Folder of a plan, with measures of your own.")] = Path(),
    json: Json = False,
) -> None:
    """List the measures that plans can name, or explain one."""
    from rich.console import Console
    from rich.table import Table

    from dyadline.measures.description import describe_measure
    from dyadline.measures.registry import measure
    from dyadline.measures.registry import measures as known

    if not folder.is_dir():
        raise PlanError(f"There is no folder {folder.name!r}", way_out="Name the one that the plan lies in")
    found = known(folder) if name is None else (measure(name, folder),)
    if json:
        print_json([one.model_dump() for one in found])
        return
    table = Table(box=None, show_header=name is None, pad_edge=False, padding=(0, 2, 0, 0))
    if name is None:
        for heading in ("Name", "Measure", "Items", "Answers", "Scales"):
            table.add_column(heading, no_wrap=heading in ("Name", "Answers"))
        for one in found:
            low, high = one.range
            scales = ", ".join(one.scales) if len(one.scales) < 5 else f"{len(one.scales)} scales"
            table.add_row(one.name, one.title, str(one.items), f"{low:g}–{high:g}", scales)
    else:
        table.add_column(style="bold", no_wrap=True)
        table.add_column()
        for label, text in describe_measure(found[0]).items():
            table.add_row(label, text)
    console = Console(highlight=False)
    console.print(table)
    if name is None:
        console.print('\nExplain one: dyadline measures NAME. In a plan: { measure = "NAME", items = "item_{item}" }.')
