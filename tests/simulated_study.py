"""A simulated study, to be laid out as laboratories lay out their files; made-up answers throughout."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

import numpy as np
import polars as pl

from dyadline.data.recognition.instrument import Instrument

DYADS, SESSIONS = 30, 6
RNG = np.random.default_rng(11)

INSTRUMENTS = (
    Instrument(name="wai-s", hints=("wai", "wais"), items=12, range=(1, 7), rates="alliance", score="mean",
               reverse=(4, 10)),
    Instrument(name="wai-sr", hints=("wai", "waisr"), items=12, range=(1, 5), rates="alliance", score="mean"),
    Instrument(name="bdi-ii", hints=("bdi", "bdiii"), items=21, range=(0, 3)),
    Instrument(name="scl-90-r", hints=("scl", "gsi"), items=90, range=(0, 4), score="mean"),
    Instrument(name="phq-9", hints=("phq",), items=9, range=(0, 3)),
    Instrument(name="gad-7", hints=("gad",), items=7, range=(0, 3)),
    Instrument(name="core-10", hints=("core",), items=10, range=(0, 4), reverse=(2, 3)),
    Instrument(name="core-om", hints=("core",), items=34, range=(0, 4), reverse=(3, 4, 7)),
)  # fmt: skip


def answers(items: int, low: int, high: int, *, reverse: Sequence[int] = ()) -> np.ndarray:
    """Whole answers, (dyads, sessions, items), to items that share one factor; all answers occur."""
    level = RNG.normal(size=(DYADS, 1, 1)) + RNG.normal(0, 0.4, size=(DYADS, SESSIONS, 1))
    given = level + RNG.normal(0, 0.8, size=(DYADS, SESSIONS, items))
    for item in reverse:
        given[:, :, item - 1] *= -1
    middle, width = (low + high) / 2, (high - low) / 2
    return np.clip(np.round(middle + given * width * 0.7), low, high).astype(int)


WAI_P = answers(12, 1, 7, reverse=(4, 10))
WAI_T = answers(12, 1, 7, reverse=(4, 10))
WAISR_P, WAISR_T = answers(12, 1, 7), answers(12, 1, 7)
WAI5_P, WAI5_T = answers(12, 1, 5), answers(12, 1, 5)
BDI = answers(21, 0, 3)
PHQ = answers(9, 0, 3)
SCL = answers(90, 0, 4)
CORE = answers(10, 0, 4, reverse=(2, 3))
HAQ_P, HAQ_T = answers(11, 1, 6), answers(11, 1, 6)
PRE = RNG.integers(20, 45, size=DYADS)
AGE = RNG.integers(19, 64, size=DYADS)
THERAPIST = np.arange(DYADS) // 4 + 1
N_SESSIONS = RNG.integers(6, 40, size=DYADS)

Values = np.ndarray | Sequence[object]


def long(columns: Mapping[str, Values]) -> pl.DataFrame:
    """One row per dyad and session: arrays are (dyads,), (sessions,) as tuples, or (dyads, sessions)."""
    made: dict[str, list[object]] = {}
    for name, values in columns.items():
        if isinstance(values, tuple):
            made[name] = list(values) * DYADS
        else:
            given = np.asarray(values)
            made[name] = (np.repeat(given, SESSIONS) if given.ndim == 1 else given.reshape(-1)).tolist()
    return pl.DataFrame(made)


def items(values: np.ndarray, name: Callable[[int], str]) -> dict[str, np.ndarray]:
    """Item columns of a long file."""
    return {name(n + 1): values[:, :, n] for n in range(values.shape[2])}


def wide(columns: Mapping[str, Values]) -> pl.DataFrame:
    """One row per dyad; arrays are (dyads,)."""
    return pl.DataFrame({name: np.asarray(values).tolist() for name, values in columns.items()})


def over(
    values: np.ndarray, name: Callable[[object], str], labels: Sequence[object] | None = None
) -> dict[str, np.ndarray]:
    """Columns over the occasions of a wide file, from (dyads, sessions)."""
    labels = range(1, SESSIONS + 1) if labels is None else labels
    return {name(label): values[:, at] for at, label in enumerate(labels)}


def grid(values: np.ndarray, name: Callable[[int, int], str]) -> dict[str, np.ndarray]:
    """Columns over occasions and items of a wide file."""
    return {name(s + 1, i + 1): values[:, s, i] for s in range(values.shape[1]) for i in range(values.shape[2])}


def mean(values: np.ndarray) -> np.ndarray:
    return values.mean(axis=2).round(3)


def total(values: np.ndarray) -> np.ndarray:
    return values.sum(axis=2)


LABEL = np.arange(1, DYADS + 1)
CODE = np.array([f"P{n:03d}" for n in LABEL])
SESSION = tuple(range(1, SESSIONS + 1))
