"""Pseudonyms of dyads, the same in all figures of a study."""

from __future__ import annotations

import hashlib

import numpy as np
import polars as pl

LETTERS = "DPXYZ"


def pseudonyms(rows: pl.DataFrame) -> pl.DataFrame:
    """Give each dyad a pseudonym in an order that cannot be told from the file's.

    The order is drawn with a seed that is made of the data themselves: the same study has the same pseudonyms
    always, but who has the report alone, and this code, cannot find the way back to the file.

    Parameters
    ----------
    rows
        ``dyad, time, patient_rating, therapist_rating, outcome``, in any order.

    Returns
    -------
    polars.DataFrame
        ``dyad``, ``pseudonym`` (``D001``, ``D002``, …; another letter where dyads of the file are called like that),
        ascending in ``pseudonym``. The key to individual figures: for the researcher, never for a report.
    """
    columns = ("dyad", "time", "patient_rating", "therapist_rating", "outcome")
    ordered = rows.select(columns).sort(*columns)
    digest = hashlib.sha256(ordered.write_csv().encode()).digest()
    dyads = ordered["dyad"].unique(maintain_order=True).cast(pl.String)
    drawn = dyads.gather(np.random.default_rng(int.from_bytes(digest)).permutation(len(dyads)))
    taken = set(dyads)
    digits = max(3, len(str(len(dyads))))
    named = ([f"{letter}{n:0{digits}d}" for n in range(1, len(dyads) + 1)] for letter in LETTERS)
    free = next((names for names in named if taken.isdisjoint(names)), None)
    names = free or [f"Dyad {n:0{digits}d}" for n in range(1, len(dyads) + 1)]
    return pl.DataFrame({"dyad": drawn, "pseudonym": pl.Series(names, dtype=pl.String)})
