"""Studies of any size, drawn in blocks of dyads that fit into memory."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
import polars as pl

from dyadline.errors import PlanError
from dyadline.plan.truth import Truth
from dyadline.studies.answers import with_answers
from dyadline.studies.simulation.draw import draw
from dyadline.studies.simulation.exactness import check_exactness
from dyadline.studies.simulation.frame import Labels, study_frame

BLOCK = 10_000
"""Dyads of a block at most: no computer's memory changes it, so that a seed gives the same study everywhere."""

SUFFIXES = (".csv", ".parquet")
"""Of the files that are written."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drawing:
    """A study that is to be drawn.

    Attributes
    ----------
    truth
        Design and parameters.
    seed
        Of the random numbers.
    items
        Whether answers stand in place of scores.
    exact
        Whether the sample has exactly the stated moments.
    folder
        Where the user's own measures are looked for.
    """

    truth: Truth
    seed: int
    items: bool = False
    exact: bool = False
    folder: Path | None = None


def blocks(drawing: Drawing) -> Iterator[pl.DataFrame]:
    """The study's rows, block by block; a study of up to 10,000 dyads is one block.

    Each block has a seed of its own, spawned from the study's, arms of equal size and therapists of its own. Where
    scores drive the outcome, they are made within the block.

    Raises
    ------
    PlanError
        Exact moments or too few therapists of a study of several blocks; ratings that cannot be scored; answers to
        measures that there are none of.
    """
    truth = drawing.truth
    number = -(-truth.dyads // BLOCK)
    _check(drawing, number)
    ends = _ends(truth.dyads, number)
    arms = {arm: _ends(count, number) for arm, count in truth.therapists.items()}
    for block, seed in enumerate(np.random.SeedSequence(drawing.seed).spawn(number)):
        part = truth.model_copy(
            update={
                "dyads": ends[block + 1] - ends[block],
                "therapists": {arm: bounds[block + 1] - bounds[block] for arm, bounds in arms.items()},
            }
        )
        drawn = draw(part, [seed], exact=drawing.exact)
        if not np.isfinite(drawn.outcome).any():
            raise PlanError(
                "The drawn ratings cannot be scored, so that no outcome follows from them",
                where="outcome.given",
                way_out='Let true curves drive the outcome: given = "latent"',
            )
        labels = Labels(
            dyad=ends[block],
            therapist=tuple(bounds[block] for bounds in arms.values()),
            dyads=truth.dyads,
            therapists=max(truth.therapists.values(), default=0),
        )
        frame = study_frame(drawn, labels=labels)
        if drawing.items:
            rng = np.random.default_rng(seed.spawn(1)[0])
            frame = with_answers(frame, truth.items, rng, drawing.folder)
        yield frame


def _check(drawing: Drawing, number: int) -> None:
    truth = drawing.truth
    if drawing.items and not truth.items:
        raise PlanError(
            "The parameters name no measures whose answers could be drawn",
            where="items",
            way_out="Add a section [items]",
        )
    if drawing.exact:
        check_exactness(truth)
    if number == 1:
        return
    if drawing.exact:
        raise PlanError(f"Exact moments are for up to {BLOCK} dyads, not {truth.dyads}", where="dyads")
    for arm, count in truth.therapists.items():
        if count < number:
            raise PlanError(
                f"{truth.dyads} dyads are drawn in {number} blocks, each with therapists of its own, and {count} "
                f"therapist{'s' if count != 1 else ''} in {arm} cannot be shared out",
                where="therapists",
                way_out="Have more therapists, or none",
            )


def _ends(count: int, parts: int) -> list[int]:
    """Where nearly equal parts begin, and the end of the last."""
    return [count * part // parts for part in range(parts + 1)]


def write_study(drawing: Drawing, path: Path, *, drawn: Callable[[int], None] | None = None) -> int:
    """Write a study as CSV or Parquet without ever holding all of it, and return the number of its rows.

    The file has another name until it is whole: whoever is interrupted finds what was there before.

    Parameters
    ----------
    drawing
        What to draw.
    path
        ``.csv`` or ``.parquet``.
    drawn
        Called with the number of dyads so far after each block.

    Raises
    ------
    PlanError
        Another suffix, a file that cannot be written, and as for `blocks`.
    """
    check_suffix(path)
    rows = 0

    def counted() -> Iterator[pl.DataFrame]:
        nonlocal rows
        number = -(-drawing.truth.dyads // BLOCK)
        for block, frame in enumerate(blocks(drawing), start=1):
            rows += frame.height
            yield frame
            if drawn is not None:
                drawn(_ends(drawing.truth.dyads, number)[block])

    write = _write_csv if path.suffix.lower() == ".csv" else _write_parquet
    try:
        with TemporaryDirectory(dir=path.parent, prefix=f".{path.name}.", ignore_cleanup_errors=True) as folder:
            write(counted(), Path(folder)).replace(path)
    except OSError as error:
        raise PlanError(
            f"{path.name!r} cannot be written: {error.strerror}", way_out="Choose a folder that exists and is yours"
        ) from None
    return rows


def check_suffix(path: Path) -> None:
    """Refuse names of files that a study is not written as."""
    if path.suffix.lower() not in SUFFIXES:
        raise PlanError(f"A study is written as .csv or .parquet, not as {path.suffix or 'a name without suffix'!r}")


def _write_csv(frames: Iterator[pl.DataFrame], folder: Path) -> Path:
    whole = folder / "whole.csv"
    with whole.open("wb") as file:
        for number, frame in enumerate(frames):
            frame.write_csv(file, include_header=number == 0)
    return whole


def _write_parquet(frames: Iterator[pl.DataFrame], folder: Path) -> Path:
    """Each block is a file of its own first: a stream from Python into Polars cannot be interrupted safely."""
    parts, whole = [], folder / "whole.parquet"
    for number, frame in enumerate(frames):
        parts.append(folder / f"{number}.parquet")
        frame.write_parquet(parts[-1])
    if len(parts) == 1:
        return parts[0]
    pl.scan_parquet(parts, glob=False).sink_parquet(whole)
    return whole
