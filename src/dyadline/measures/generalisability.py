"""Reliability between persons and of change within them, from persons × occasions × items (generalisability theory).

Model (Cranford et al. 2006; Shrout & Lane 2012): answer = person + time + item + person×time + person×item +
time×item + residual, seven components. A record is its mean times √k and k − 1 orthonormal contrasts of its k items.
Each of these is a two-way layout, person by time, with components

    √k·mean      person  k·P + PI     time  k·T + TI     error  k·PT + E
    contrasts    person  PI           time  TI           error  E

so that occasions may be missing as long as a record is complete. Each layout is taken by Henderson's method III
(Searle, Casella & McCulloch 1992, chapter 5): the sum of squares of persons adjusted for time, of time adjusted for
persons, and of error, equated to their expectations; items by the sum of squares of the grand means. With no record
missing all of it is the analysis of variance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import polars as pl

from dyadline.errors import DataError
from dyadline.measures.records import Array, codes, matrix, same_rows

COMPONENTS = ("person", "time", "item", "person_time", "person_item", "time_item", "residual")
NESTED = ("nested_person", "nested_occasion", "nested_residual")
COEFFICIENTS = ("r_1f", "r_kf", "r_1r", "r_kr", "r_c", "r_kr_nested", "r_c_nested")
MOST_OCCASIONS = 2_000
"""Distinct times: the equations of time are dense."""


def generalisability(answers: pl.DataFrame, person: pl.Series, time: pl.Series) -> pl.DataFrame:
    """Variance components of persons × occasions × items, and the reliabilities that follow.

    Every component is estimated without bias and may come out negative; it is set to zero after all have been
    estimated, before the coefficients, and the note says so. Coefficients of the mean over K occasions take K as the
    harmonic mean of the persons' numbers of records, because it is 1/K that error is divided by.

    Parameters
    ----------
    answers
        One column per item (k), a row per record; reverse-keyed items turned. A record with a missing answer is left
        out, as is one without person or time.
    person, time
        Of each record, at most one record of a person at a time.

    Returns
    -------
    polars.DataFrame
        One row. ``n_records``, ``n_persons``, ``n_times`` (distinct), ``n_occasions`` (mean records of a person),
        ``k_occasions`` (their harmonic mean, K), ``n_items``. Components ``person``, ``time``, ``item``,
        ``person_time``, ``person_item``, ``time_item``, ``residual``. Reliabilities between persons: ``r_1f`` (one
        occasion, the same for all), ``r_kf`` (mean of K, the same for all), ``r_1r``, ``r_kr`` (of occasions drawn at
        random for each person); of change within persons: ``r_c``. With occasions nested in persons and items in
        occasions (Nezlek 2017; method I, items' differences part of the residual): ``nested_person``,
        ``nested_occasion``, ``nested_residual``, ``r_kr_nested``, ``r_c_nested``. ``note``: what could not be computed,
        what was negative. Null where there is none.

    Raises
    ------
    DataError
        Columns of different lengths, or two records of a person at one time.
    """
    same_rows(answers, person=person, time=time)
    values = matrix(answers).T
    who, when = codes(person)[1], codes(time)[1]
    chosen = ~np.isnan(values).any(axis=0) & (who >= 0) & (when >= 0)
    if not chosen.all():
        values, who, when = values[:, chosen], _dense(who[chosen]), _dense(when[chosen])
    k = len(values)
    counts = np.bincount(who)
    times = int(when.max(initial=-1)) + 1
    sizes: dict[str, Any] = {"n_records": len(who), "n_persons": len(counts), "n_times": times, "n_items": k}
    sizes |= (
        {"n_occasions": float(counts.mean()), "k_occasions": float(1.0 / (1.0 / counts).mean())} if len(counts) else {}
    )
    found, note = _components(values, who, when, sizes)
    below = [f"{name} ({value:.3g})" for name, value in found.items() if value < 0.0]
    if below:
        note = f"negative estimates set to zero: {', '.join(below)}"
        found = {name: max(0.0, value) for name, value in found.items()}
    K = sizes.get("k_occasions", np.nan)
    row = sizes | found | (_coefficients(found, K, k) if found else {}) | {"note": note}
    integers = ("n_records", "n_persons", "n_times", "n_items")
    order = (*integers[:3], "n_occasions", "k_occasions", "n_items", *COMPONENTS, *NESTED, *COEFFICIENTS)
    types: dict[str, Any] = {name: pl.Int64 if name in integers else pl.Float64 for name in order} | {"note": pl.String}
    return pl.DataFrame([row], schema=types).with_columns(pl.selectors.float().fill_nan(None))


def _dense(code: Array) -> Array:
    """Codes without gaps."""
    used = np.bincount(code) > 0
    renumbered: Array = (np.cumsum(used) - 1)[code]
    return renumbered


def _components(values: Array, who: Array, when: Array, sizes: dict[str, Any]) -> tuple[dict[str, float], str]:
    """All components as estimated from items × records, or none and why."""
    (k, n), P, T = values.shape, sizes["n_persons"], sizes["n_times"]
    if k < 2:
        return {}, "a single item: its error cannot be told from change"
    if T > MOST_OCCASIONS:
        return {}, f"{T:,} distinct times: give occasions that persons share"
    if P < 2 or T < 2:
        return {}, "fewer than two persons or two occasions"
    layout = _Layout.of(who, when)
    if layout.error_df < 1 or n in (T, P):
        return {}, "too few persons with several occasions that others share"
    item_means = values.mean(axis=1)
    values = values - item_means[:, None]
    mean = values.mean(axis=0)
    of_persons, of_times = _sums(who, values), _sums(when, values)
    sums = of_persons.sum(axis=1, keepdims=True), of_times.sum(axis=1, keepdims=True)
    of_mean = layout.components(k * float(mean @ mean), sums[0] / np.sqrt(k), sums[1] / np.sqrt(k), 1)
    scatter = float(np.einsum("ij,ij->", values, values)) - k * float(mean @ mean)
    within = layout.components(scatter, of_persons - sums[0] / k, of_times - sums[1] / k, k - 1)
    shares = (layout.persons**2).sum() / n, (layout.times**2).sum() / n
    items = n * float(((item_means - item_means.mean()) ** 2).sum())
    found = {
        "person": (of_mean[0] - within[0]) / k,
        "time": (of_mean[1] - within[1]) / k,
        "item": (items / (k - 1) - shares[0] * within[0] - shares[1] * within[1] - within[2]) / n,
        "person_time": (of_mean[2] - within[2]) / k,
        "person_item": within[0],
        "time_item": within[1],
        "residual": within[2],
    }
    nested = _nested(mean, scatter + items, who, layout.persons, k)
    return {name: float(value) for name, value in (found | nested).items()}, ""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Layout:
    """Persons by times, at most one record a cell: what Henderson's method III needs of who was there when.

    Attributes
    ----------
    n
        Records.
    persons, times
        Number of records of each.
    shares
        Persons × times, sparse: 1 / records of the person, where there is a record.
    normal
        Time's equations with persons absorbed, made regular by a constant per connected part (T × T).
    parts
        Connected parts of the layout.
    """

    n: int
    persons: Array
    times: Array
    shares: Any
    normal: Array
    parts: int

    @classmethod
    def of(cls, who: Array, when: Array) -> _Layout:
        """Absorb the persons.

        Raises
        ------
        DataError
            Two records of a person at one time.
        """
        from scipy.sparse import csr_array
        from scipy.sparse.csgraph import connected_components

        persons, times = np.bincount(who).astype(float), np.bincount(when).astype(float)
        shares = csr_array((1.0 / persons[who], (who, when)), shape=(len(persons), len(times)))
        if shares.nnz < len(who):
            raise DataError("a person has two records at the same time", way_out="Keep one record per person and time")
        root = shares.sqrt()
        shared = (root.T @ root).toarray()
        parts, part = connected_components(shared > 0.0, directed=False)
        # any constant per connected part: what it is solved for is orthogonal to it
        normal = np.diag(times) - shared + (part[:, None] == part) * (times.mean() / len(times))
        return cls(n=len(who), persons=persons, times=times, shares=shares, normal=normal, parts=int(parts))

    @property
    def error_df(self) -> int:
        """Of one variable per record."""
        return self.n - len(self.persons) - len(self.times) + self.parts

    def components(self, total: float, of_persons: Array, of_times: Array, df: int) -> tuple[float, float, float]:
        """Person, time and error of ``df`` independent variables per record, about their means.

        Parameters
        ----------
        total, of_persons, of_times
            Sum of squares, and sums by person (P × q) and by time (T × q).
        df
            Variables.
        """
        about_persons = total - float((of_persons**2 / self.persons[:, None]).sum())
        about_times = total - float((of_times**2 / self.times[:, None]).sum())
        adjusted = of_times - self.shares.T @ of_persons
        by_time = float((adjusted * np.linalg.solve(self.normal, adjusted)).sum())
        left = about_persons - by_time
        error = left / (df * self.error_df)
        person = ((about_times - left) / df - (len(self.persons) - self.parts) * error) / (self.n - len(self.times))
        time = (by_time / df - (len(self.times) - self.parts) * error) / (self.n - len(self.persons))
        return person, time, error


def _sums(code: Array, Y: Array) -> Array:
    """Sums of the columns of Y in each group, as rows."""
    return np.column_stack([np.bincount(code, values) for values in Y])


def _nested(mean: Array, within: float, who: Array, persons: Array, k: int) -> dict[str, float]:
    """Items in occasions in persons, by method I; ``within`` is the sum of squares about the records' means."""
    n, P = len(mean), len(persons)
    of_persons = np.bincount(who, mean) / persons
    residual = within / (n * (k - 1))
    occasions = k * float(((mean - of_persons[who]) ** 2).sum()) / (n - P)
    between = k * float((persons * (of_persons - mean.mean()) ** 2).sum()) / (P - 1)
    size = (n - (persons**2).sum() / n) / (P - 1)
    return {
        "nested_person": (between - occasions) / (k * size),
        "nested_occasion": (occasions - residual) / k,
        "nested_residual": residual,
    }


def _coefficients(c: dict[str, float], K: float, k: int) -> dict[str, float]:
    """Equations 2–7 of Cranford et al. (2006), and the nested ones of Nezlek (2017)."""
    true = c["person"] + c["person_item"] / k
    error, moving = c["residual"] / k, c["time"] + c["person_time"]
    occasion, within = c["nested_occasion"], c["nested_residual"] / k
    return {
        "r_1f": _share(true, error),
        "r_kf": _share(true, error / K),
        "r_1r": _share(true, moving + error),
        "r_kr": _share(true, (moving + error) / K),
        "r_c": _share(c["person_time"], error),
        "r_kr_nested": _share(c["nested_person"], (occasion + within) / K),
        "r_c_nested": _share(occasion, within),
    }


def _share(signal: float, noise: float) -> float:
    return signal / (signal + noise) if signal + noise > 0.0 else float("nan")
