"""Frames of every kind and condition, with plans that may fit: from nonsense to a slightly spoilt study."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa

from dyadline.errors import DyadlineError
from dyadline.plan.analysis import AnalysisPlan
from dyadline.studies.twins import twin_data

ROLES = ("dyad", "therapist", "time", "patient_rating", "therapist_rating", "outcome", "baseline")
WEIRD = ("", " ", "a b", "a\nb", "ä€\U0001f600", "x" * 3000, "{time}", "id,id", "'", '"', "\0", "-", "nan", "[seen]",
         "row", "index", "level_0", "{item}", "__x__", "$ref", "^.*$", "*", "a.b", "outcome min")  # fmt: skip
ODD = ("", " ", "NA", "nan", "NaN", "inf", "-inf", "1e400", "1,5", "1.234,5", "x", "x" * 5000, "ä€\U0001f600", "-9",
       "999", "99999999999999999999", "2020-01-31", "31.1.2020", "true", "0x10", "1_000", "\0", "\n", "a:b", "=1+1",
       "٣", "²")  # fmt: skip
EXTREME = (0.0, -0.0, 1e308, -1e308, 5e-324, float("inf"), float("-inf"), float("nan"), 2.0**53, -9.0, 999.0, 1e-300)
Column = Callable[[np.random.Generator, int], list[Any] | pl.Series]


def some(rng: np.random.Generator, values: tuple[Any, ...] | list[Any], n: int) -> list[Any]:
    return [values[k] for k in rng.integers(len(values), size=n)]


def holes(rng: np.random.Generator, values: list[Any]) -> list[Any]:
    share = rng.choice([0.0, 0.0, 0.1, 0.5, 1.0], p=[0.4, 0.2, 0.2, 0.15, 0.05])
    return [None if gone else value for value, gone in zip(values, rng.random(len(values)) < share, strict=True)]


def _days(rng: np.random.Generator, n: int) -> list[dt.date]:
    return [dt.date(1, 1, 1) + dt.timedelta(days=int(d)) for d in rng.integers(0, 3_600_000, size=n)]


def _moments(rng: np.random.Generator, n: int) -> list[dt.datetime]:
    return [dt.datetime(1700, 1, 1) + dt.timedelta(seconds=int(s)) for s in rng.integers(0, 16_000_000_000, size=n)]


TYPES: dict[str, Column] = {
    "small whole": lambda g, n: pl.Series(holes(g, g.integers(-3, 4, size=n).tolist()), dtype=pl.Int8),
    "huge whole": lambda g, n: pl.Series(some(g, (2**64 - 1, 2**63, 0, 1), n), dtype=pl.UInt64),
    "int128": lambda g, n: pl.Series(some(g, (2**100, -(2**90), 0), n), dtype=pl.Int128),
    "normal": lambda g, n: pl.Series(holes(g, g.normal(size=n).tolist()), dtype=pl.Float64),
    "float32": lambda g, n: pl.Series(g.normal(size=n), dtype=pl.Float32),
    "extreme": lambda g, n: pl.Series(holes(g, some(g, EXTREME, n)), dtype=pl.Float64),
    "constant": lambda g, n: pl.Series([float(g.integers(5))] * n, dtype=pl.Float64),
    "truth": lambda g, n: pl.Series(holes(g, (g.random(n) < 0.5).tolist()), dtype=pl.Boolean),
    "null": lambda g, n: pl.Series([None] * n, dtype=pl.Null),
    "odd text": lambda g, n: pl.Series(holes(g, some(g, ODD, n)), dtype=pl.String),
    "number text": lambda g, n: pl.Series(holes(g, [f"{x:.2f}" for x in g.normal(size=n)]), dtype=pl.String),
    "category": lambda g, n: pl.Series(some(g, ("a", "b", "3"), n), dtype=pl.Categorical),
    "enum": lambda g, n: pl.Series(some(g, ("1", "2"), n), dtype=pl.Enum(["1", "2"])),
    "date": lambda g, n: pl.Series(holes(g, _days(g, n)), dtype=pl.Date),
    "datetime": lambda g, n: pl.Series(_moments(g, n), dtype=pl.Datetime("ms")),
    "zoned": lambda g, n: pl.Series(_moments(g, n), dtype=pl.Datetime("us")).dt.replace_time_zone(
        "Europe/Oslo", ambiguous="earliest", non_existent="null"
    ),
    "clock": lambda g, n: pl.Series([dt.time(int(h)) for h in g.integers(24, size=n)], dtype=pl.Time),
    "duration": lambda g, n: pl.Series([dt.timedelta(seconds=int(s)) for s in g.integers(9, size=n)]),
    "binary": lambda g, n: pl.Series([g.bytes(3) for _ in range(n)], dtype=pl.Binary),
    "decimal": lambda g, n: pl.Series(
        [Decimal(int(x)) / 100 for x in g.integers(-999, 999, size=n)], dtype=pl.Decimal(20, 2)
    ),
    "list": lambda g, n: pl.Series(
        [g.integers(9, size=int(g.integers(3))).tolist() for _ in range(n)], dtype=pl.List(pl.Int64)
    ),
    "array": lambda g, n: pl.Series(g.integers(9, size=(n, 2)).tolist(), dtype=pl.Array(pl.Int64, 2)),
    "struct": lambda g, n: pl.Series([{"a": 1, "b": "x"}] * n, dtype=pl.Struct({"a": pl.Int64, "b": pl.String})),
    "object": lambda g, n: pl.Series([object() for _ in range(n)], dtype=pl.Object),
}  # fmt: skip

THINGS = (1, 2.5, "x", "3", None, float("nan"), True, b"x", dt.date(2020, 1, 1), Decimal("1.5"), (1, 2), [1],
          {"a": 1}, 2**80, pd.NA, pd.NaT, pd.Timestamp("2020-01-01", tz="UTC"), 1 + 2j, object(), np.float32(1.5),
          np.int8(3))  # fmt: skip
PANDAS: dict[str, Callable[[np.random.Generator, int], Any]] = {
    "things": lambda g, n: pd.Series(some(g, THINGS, n), dtype=object),
    "whole or missing": lambda g, n: pd.array(holes(g, g.integers(5, size=n).tolist()), dtype="Int64"),
    "truth or missing": lambda g, n: pd.array(holes(g, (g.random(n) < 0.5).tolist()), dtype="boolean"),
    "string": lambda g, n: pd.array(holes(g, some(g, ODD, n)), dtype="string"),
    "category": lambda g, n: pd.Categorical(some(g, (1, 2.5, "x"), n)),
    "zoned": lambda g, n: pd.Series(pd.date_range("2020-01-01", periods=n, tz="Asia/Tokyo")),
    "span": lambda g, n: pd.Series(pd.timedelta_range("1D", periods=n)),
    "period": lambda g, n: pd.Series(pd.period_range("2020-01", periods=n, freq="M")),
    "interval": lambda g, n: pd.Series(pd.interval_range(0, n) if n else pd.interval_range(0, 1)[:0]),
    "complex": lambda g, n: pd.Series(g.normal(size=n) + 1j),
    "sparse": lambda g, n: pd.arrays.SparseArray(g.integers(2, size=n)),
    "half": lambda g, n: pd.Series(g.normal(size=n).astype("float16")),
}


def random_case(seed: int) -> tuple[object, AnalysisPlan]:
    """A frame of one of the three kinds, and a plan for it."""
    rng = np.random.default_rng(seed)
    while True:
        try:
            return _nonsense(rng) if rng.random() < 0.4 else _spoilt(rng)
        except (DyadlineError, pa.ArrowException, pl.exceptions.PolarsError, ValueError, TypeError, OverflowError):
            continue  # no such plan, or a kind of frame that cannot hold such values


def _plan(rng: np.random.Generator, columns: dict[str, Any], others: list[str]) -> AnalysisPlan:
    checks = {}
    for key in ("date", "sessions", "end", "reason"):
        if others and rng.random() < 0.15:
            checks[key] = others[rng.integers(len(others))]
    if rng.random() < 0.1:
        checks |= {"rating_range": [1, 7], "outcome_range": [0, 63]}
    free = [name for name in others if name not in columns.values()]
    if free and rng.random() < 0.3:
        columns = columns | {"covariates": [free[rng.integers(len(free))]]}
    content = {
        "columns": columns,
        "checks": checks,
        "convergence": {"growth": str(rng.choice(["ols", "multilevel", "observed"], p=[0.6, 0.3, 0.1])),
                        "early_level": "first_rating"},
        "models": {"run": [[1], [2], [1, 2, 3]][rng.integers(3)]},
        "time": {"origin": "first" if rng.random() < 0.8 else float(rng.choice([0.0, 1e300, -5.0]))},
    }  # fmt: skip
    return AnalysisPlan.model_validate(content)


def _nonsense(rng: np.random.Generator) -> tuple[object, AnalysisPlan]:
    """A few rows of anything; columns that a plan needs are often what they should be."""
    n = int(rng.choice([0, 1, 2, 6, 12, 30]))
    kind = str(rng.choice(["polars", "pandas", "pyarrow"]))
    names = [f"{role}_" for role in ROLES]
    for k in range(len(names)):
        if rng.random() < 0.1:
            names[k] = WEIRD[rng.integers(len(WEIRD))] + str(k) * int(rng.integers(2))
    sound = dict(zip(names, [
        [f"d{k // 3}" for k in range(n)], [f"t{k // 6}" for k in range(n)], [k % 3 for k in range(n)],
        rng.normal(5, 1, n).tolist(), rng.normal(5, 1, n).tolist(), rng.normal(20, 5, n).tolist(),
        [float(k // 3) for k in range(n)],
    ], strict=True))  # fmt: skip
    share = rng.choice([0.0, 0.15, 0.5])
    columns: dict[str, Any] = {}
    for name, values in sound.items():
        types: dict[str, Any] = PANDAS if kind == "pandas" and rng.random() < 0.5 else TYPES
        columns[name] = types[str(rng.choice(list(types)))](rng, n) if rng.random() < share else values
    extra = f"extra{WEIRD[rng.integers(len(WEIRD))]}"
    columns[extra] = TYPES[str(rng.choice(list(TYPES)))](rng, n)
    present = list(columns)
    if rng.random() < 0.1:
        columns.pop(present[rng.integers(len(present))])
    chosen = dict(zip(ROLES, names, strict=True))
    for role in ("therapist", "baseline"):
        if rng.random() < 0.5:
            chosen.pop(role)
    return _framed(rng, columns, kind), _plan(rng, chosen, present)


def _framed(rng: np.random.Generator, columns: dict[str, Any], kind: str) -> object:
    if kind == "polars":
        made = pl.DataFrame({name: pl.Series(values) for name, values in columns.items()})
        return made.lazy() if rng.random() < 0.05 else made
    if kind == "pandas":
        plain = {n: v.to_list() if isinstance(v, pl.Series) else v for n, v in columns.items()}
        frame = pd.DataFrame({name: pd.Series(values) for name, values in plain.items()})
        if rng.random() < 0.05:
            frame.columns = [*frame.columns[:-1], frame.columns[0]]
        elif rng.random() < 0.05:
            frame.columns = pd.Index(["dyad_", *range(len(frame.columns) - 1)])
        elif rng.random() < 0.03:
            frame.columns = pd.MultiIndex.from_tuples([(name, 1) for name in frame.columns])
        return frame.set_index(frame.columns[0], drop=False) if rng.random() < 0.05 else frame
    arrays = [v.to_arrow() if isinstance(v, pl.Series) else pa.array(v) for v in columns.values()]
    names = list(columns)
    if rng.random() < 0.05:
        names[-1] = names[0]
    table = pa.Table.from_arrays(arrays, names=names)
    return pa.concat_tables([table, table.slice(0, 1)]) if rng.random() < 0.1 else table


def _spoilt(rng: np.random.Generator) -> tuple[object, AnalysisPlan]:
    """A small twin with up to four things done to it."""
    which = str(rng.choice(["study1", "study2"]))
    frame = _small(which, int(rng.integers(2, 14)), rng)
    outcome, baseline = ("bdi", "bdi_pre") if which == "study1" else ("gsi", "gsi_pre")
    columns = {"dyad": "dyad", "therapist": "therapist", "time": "session", "patient_rating": "wai_p",
               "therapist_rating": "wai_t", "outcome": outcome, "baseline": baseline}  # fmt: skip
    columns["baseline"] = baseline if baseline in frame.columns and rng.random() < 0.6 else "first"
    if rng.random() < 0.4:
        columns.pop("therapist")
    for _ in range(int(rng.integers(5))):
        frame = SPOILERS[rng.integers(len(SPOILERS))](frame, rng)
    kind = str(rng.choice(["polars", "pandas", "pyarrow"], p=[0.6, 0.2, 0.2]))
    made = {"polars": lambda: frame, "pandas": frame.to_pandas, "pyarrow": frame.to_arrow}[kind]()
    return made, _plan(rng, columns, frame.columns)


def _small(which: str, dyads: int, rng: np.random.Generator) -> pl.DataFrame:
    frame = twin_data(which)
    labels = frame["dyad"].unique(maintain_order=True).to_list()
    start = int(rng.integers(len(labels) - dyads))
    return frame.filter(pl.col("dyad").is_in(labels[start : start + dyads]))


def _column(frame: pl.DataFrame, rng: np.random.Generator) -> str:
    return frame.columns[rng.integers(len(frame.columns))]


def _put_odd_text(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    there = pl.Series(rng.random(frame.height) < rng.choice([0.02, 0.5]))
    odd = pl.Series(some(rng, ODD, frame.height), dtype=pl.String)
    name = _column(frame, rng)
    return frame.with_columns(pl.when(there).then(odd).otherwise(pl.col(name).cast(pl.String)).alias(name))


def _put_extremes(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    there = pl.Series(rng.random(frame.height) < rng.choice([0.02, 0.3]))
    odd = pl.Series(some(rng, EXTREME, frame.height), dtype=pl.Float64)
    name = _column(frame, rng)
    return frame.with_columns(
        pl.when(there).then(odd).otherwise(pl.col(name).cast(pl.Float64, strict=False)).alias(name)
    )


def _put_nulls(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    there = pl.Series(rng.random(frame.height) < rng.choice([0.05, 0.5, 1.0], p=[0.6, 0.3, 0.1]))
    name = _column(frame, rng)
    return frame.with_columns(pl.when(~there).then(pl.col(name)).alias(name))


def _double_rows(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    return pl.concat([frame, frame.filter(pl.Series(rng.random(frame.height) < 0.05))])


def _drop_rows(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    return frame.filter(pl.Series(rng.random(frame.height) < rng.choice([0.9, 0.5, 0.1])))


def _shuffle(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    return frame[rng.permutation(frame.height)] if frame.height else frame


def _swap(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    one, other = _column(frame, rng), _column(frame, rng)
    return frame.with_columns(pl.col(one).alias(other), pl.col(other).alias(one)) if one != other else frame


def _break_labels(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    name = str(rng.choice(["dyad", "therapist"]))
    text = pl.col(name).cast(pl.String)
    ways = (
        text.str.slice(0, 3),
        text + " ",
        text.str.to_lowercase(),
        text.str.replace_all(r"\d", ""),
        text.str.slice(1),
    )
    there = pl.Series(rng.random(frame.height) < rng.choice([0.1, 1.0]))
    return frame.with_columns(pl.when(there).then(ways[rng.integers(len(ways))]).otherwise(text).alias(name))


def _retype(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    name, types = _column(frame, rng), (pl.String, pl.Float32, pl.Int64, pl.Categorical, pl.Int8, pl.Boolean)
    return frame.with_columns(pl.col(name).cast(types[rng.integers(len(types))], strict=False))


def _replace_column(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    made = pl.Series(TYPES[str(rng.choice(list(TYPES)))](rng, frame.height))
    return frame.with_columns(made.alias(_column(frame, rng)))


def _scale(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    name = str(rng.choice(["session", "wai_p", "wai_t", frame.columns[-1]]))
    by = float(rng.choice([0.0, -1.0, 1e-300, 1e-12, 1e6, 1e12, 1e200, 1e307]))
    return frame.with_columns(pl.col(name).cast(pl.Float64, strict=False) * by)


def _copy_column(frame: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    return frame.with_columns(pl.col(_column(frame, rng)).alias(_column(frame, rng)))


SPOILERS = (_put_odd_text, _put_extremes, _put_nulls, _double_rows, _drop_rows, _shuffle, _swap, _break_labels, _retype,
            _replace_column, _scale, _copy_column)  # fmt: skip
