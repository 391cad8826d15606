"""What every comparison with an oracle measured: collected while the tests run, written as a page on request.

`agree` asserts and remembers. ``pytest --truth=docs/numerical_truth.md`` puts the table between the page's markers.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

BEGIN, END = "<!-- measured: begin -->", "<!-- measured: end -->"


@dataclass(slots=True)
class Measured:
    """Comparisons of one quantity with one oracle."""

    tolerance: float
    count: int = 0
    largest: float = 0.0


record: dict[tuple[str, str], Measured] = {}


def agree(oracle: str, quantity: str, deviation: float, tolerance: float) -> None:
    """Assert that a deviation is within its tolerance, and remember it.

    Parameters
    ----------
    oracle
        What it is compared with: ``lme4 and lmerTest, two levels``.
    quantity
        What is compared, with the measure of the deviation: ``estimate / SE``.
    deviation
        Not negative; not a number fails.
    tolerance
        At most so much.
    """
    found = record.setdefault((oracle, quantity), Measured(tolerance))
    found.count += 1
    found.largest = max(found.largest, float(deviation))
    found.tolerance = max(found.tolerance, tolerance)
    assert deviation <= tolerance, f"{quantity} is {deviation:.3g} away from {oracle}; allowed is {tolerance:.3g}"


def table() -> str:
    """The collected deviations as a Markdown table."""
    lines = ["| compared with | quantity | comparisons | tolerance | largest deviation |", "|---|---|---|---|---|"]
    last = ""
    for (oracle, quantity), one in sorted(record.items()):
        shown = "" if oracle == last else oracle
        lines.append(f"| {shown} | {quantity} | {one.count} | {one.tolerance:.0e} | {one.largest:.1e} |")
        last = oracle
    total = sum(one.count for one in record.values())
    return "\n".join([*lines, "", f"{total} comparisons."])


def write(path: Path) -> None:
    """Put the table between the markers of a page."""
    page = path.read_text(encoding="utf-8")
    before, rest = page.split(BEGIN)
    after = rest.split(END)[1]
    path.write_text(f"{before}{BEGIN}\n\n{table()}\n\n{END}{after}", encoding="utf-8")
