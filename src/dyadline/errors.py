"""What can go wrong, and what was noticed: the words that every floor shares.

An error has three parts: what is wrong, where, and what to do. A `Finding` is a thing worth
knowing that did not stop the work. Neither carries data beyond row numbers and the offending value.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from difflib import get_close_matches
from numbers import Integral
from typing import Literal


class DyadlineError(Exception):
    """Base of all errors raised on purpose.

    Parameters
    ----------
    what
        One clear sentence, without a full stop at the end.
    where
        Column, key path, row numbers or file; empty if the sentence says it.
    way_out
        What the user can do about it.
    """

    exit_code = 1

    def __init__(self, what: str, *, where: str = "", way_out: str = "") -> None:
        self.what, self.where, self.way_out = what, where, way_out
        place = f" ({where})" if where else ""
        ending = "" if way_out.endswith(("?", ".")) else "."
        advice = f" {way_out}{ending}" if way_out else ""
        super().__init__(f"{what.rstrip('.')}{place}.{advice}")


class PlanError(DyadlineError):
    """The plan, the formula or the call is wrong."""

    exit_code = 2


class DataError(DyadlineError):
    """The data cannot be used as the plan says."""

    exit_code = 3

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The error as a finding; `DataErrors` has all of them and what else was noticed."""
        place = f" ({self.where})" if self.where else ""
        return (Finding(code="data", level="error", words=f"{self.what}{place}.", way_out=self.way_out),)


class FitError(DyadlineError):
    """The question has no answer in these data (not: did not converge, which is a value)."""

    exit_code = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something noticed in the data, the scores or the fits.

    Attributes
    ----------
    code
        Stable short name, such as ``"baseline-is-first-outcome"``.
    level
        ``"note"`` (good to know), ``"warning"`` (read before you publish), ``"error"`` (stops the run).
    words
        What was found, in a sentence or two.
    way_out
        What can be done about it; empty where nothing needs to be.
    column, dyad, time, rows
        Where: column as the file names it, dyad label, time in the file's own values, row numbers in the file (first
        data row is 1).
    """

    code: str
    level: Literal["note", "warning", "error"]
    words: str
    way_out: str = ""
    column: str = ""
    dyad: str = ""
    time: str = ""
    rows: tuple[int, ...] = ()


LISTED = 20
"""Errors that a message lists before it counts the others."""


class DataErrors(DataError):  # noqa: N818 - it is several
    """Everything that keeps the data from being used, found at once, and what else was noticed.

    Parameters
    ----------
    findings
        At least one of level ``"error"``.
    source
        File name without folder, or ``"frame"``.
    """

    def __init__(self, findings: Iterable[Finding], source: str = "frame") -> None:
        self._findings, self.source = tuple(findings), source
        self.errors = tuple(f for f in self._findings if f.level == "error")
        super().__init__(self.errors[0].words, way_out=self.errors[0].way_out)

    @property
    def findings(self) -> tuple[Finding, ...]:
        """The errors and everything that was noticed, in the order in which they were found."""
        return self._findings

    def __str__(self) -> str:
        if len(self.errors) == 1:
            return super().__str__()
        lines = [sentence(error) for error in self.errors[:LISTED]]
        if len(self.errors) > LISTED:
            lines.append(f"and {len(self.errors) - LISTED} more")
        name = "The frame" if self.source == "frame" else self.source
        return f"{name} has {len(self.errors)} mistakes:" + "".join(f"\n  {line}" for line in lines)

    def __reduce__(self) -> tuple[type[DataErrors], tuple[tuple[Finding, ...], str]]:
        return DataErrors, (self._findings, self.source)


def sentence(finding: Finding) -> str:
    """Words and way out of a finding, each with its full stop."""
    return " ".join(full_stop(part) for part in (finding.words, finding.way_out) if part)


def full_stop(said: str) -> str:
    """The same words with a full stop, unless they are none or have an end."""
    return said if not said or said.endswith((".", "?", "!")) else f"{said}."


def whole_number(value: object, what: str, least: int) -> int:
    """A whole number that is at least so large; NumPy's and 3.0 are whole numbers, too.

    Raises
    ------
    PlanError
        Anything else.
    """
    whole = isinstance(value, Integral) or (isinstance(value, float) and value.is_integer())
    if not whole or isinstance(value, bool) or int(value) < least:  # type: ignore[call-overload]
        raise PlanError(f"{what} is a whole number of at least {least}, not {value!r}")
    return int(value)  # type: ignore[call-overload,no-any-return]


def did_you_mean(name: object, known: Iterable[str]) -> str:
    """``Did you mean 'x'?`` for the nearest of the known names, else an empty string."""
    if not isinstance(name, str):
        return ""
    known = list(known)
    folded = {k.casefold(): k for k in reversed(known)}
    near = get_close_matches(name.casefold(), list(folded), n=1, cutoff=0.6)
    return f"Did you mean {folded[near[0]]!r}?" if near else ""
