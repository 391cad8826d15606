"""Persons × occasions × items: against psych, lme4 and a dense method III; correlations of scales by hand."""

from __future__ import annotations

import json
import re
from itertools import combinations

import numpy as np
import polars as pl
import pytest

from dyadline.errors import DataError
from dyadline.measures.generalisability import generalisability
from dyadline.measures.reliability import scale_correlations
from oracles import answers as oracle
from truth import agree

ORACLE = json.loads((oracle.HERE / "reliability.json").read_text())["generalisability"]
COMPONENTS = ("person", "time", "item", "person_time", "person_item", "time_item", "residual")
NESTED = ("nested_person", "nested_occasion", "nested_residual")


def study(*, kept: bool) -> pl.DataFrame:
    frame = oracle.frame("reliability").rename({f"i{j}": str(j) for j in range(1, 7)})
    return frame.filter(pl.col("kept") == 1.0) if kept else frame


def found(frame: pl.DataFrame) -> dict:
    items = [c for c in frame.columns if c.isdigit()]
    (row,) = generalisability(frame.select(items), frame["person"], frame["time"]).to_dicts()
    return row


# -- against R --------------------------------------------------------------------------------------------------------


def test_balanced_studies_are_those_of_psych():
    row, want = found(study(kept=False)), ORACLE["psych"]
    assert row["note"] == "" and (row["n_persons"], row["n_times"], row["n_items"]) == (60, 5, 6)
    assert row["n_occasions"] == 5.0 and row["k_occasions"] == pytest.approx(5.0)
    for name in (*COMPONENTS, "r_kf", "r_1r", "r_kr", "r_c"):
        agree(
            "psych, multilevel.reliability",
            "components and reliabilities, relative",
            abs(row[name] / want[name] - 1),
            1e-11,
        )
    # psych has no R1F; by equation 2 of Cranford et al. (2006)
    true = want["person"] + want["person_item"] / 6
    assert row["r_1f"] == pytest.approx(true / (true + want["residual"] / 6), rel=1e-11)


def test_balanced_studies_are_those_of_restricted_likelihood():
    """Without missing records and with no component at zero REML is the analysis of variance; lme4 stops near 1e-6."""
    row, want = found(study(kept=False)), ORACLE["reml"]
    for name in COMPONENTS + NESTED:
        agree("lme4, persons × occasions × items", "component, relative", abs(row[name] / want[name] - 1), 1e-5)
    person, occasion, rest = (want[name] for name in NESTED)
    assert row["r_kr_nested"] == pytest.approx(person / (person + occasion / 5 + rest / 30), abs=1e-6)
    assert row["r_c_nested"] == pytest.approx(occasion / (occasion + rest / 6), abs=1e-6)
    # psych has the same model from nlme, whose optimiser stops near 1e-4
    for name in ("r_kr_nested", "r_c_nested"):
        assert row[name] == pytest.approx(ORACLE["psych"][name], abs=1e-4)


def test_with_records_missing_restricted_likelihood_is_near():
    """Two unbiased-in-large-samples estimators of the same model: 60 persons, 1 to 5 records each."""
    row, want = found(study(kept=True)), ORACLE["reml_kept"]
    assert row["n_occasions"] < 4.0 and row["k_occasions"] < row["n_occasions"] and row["note"] == ""
    for name in COMPONENTS + NESTED:
        assert row[name] == pytest.approx(want[name], rel=0.1, abs=0.01), name


# -- a dense method III -----------------------------------------------------------------------------------------------


def dense(frame: pl.DataFrame) -> dict[str, float]:
    """Reductions in sums of squares of the long answers by projection, equated to their traces: seven by seven."""
    items = [c for c in frame.columns if c.isdigit()]
    long = frame.unpivot(items, index=["person", "time"], variable_name="item", value_name="y")
    names = {"person": ["person"], "time": ["time"], "item": ["item"], "person_time": ["person", "time"]}
    names |= {"person_item": ["person", "item"], "time_item": ["time", "item"]}
    Z = {key: dummies(long.select(columns)) for key, columns in names.items()}
    n = long.height
    Z["residual"] = np.eye(n)
    one = np.ones((n, 1))

    def projection(*parts):
        U, d, _ = np.linalg.svd(np.column_stack([one, *(Z[p] for p in parts)]), full_matrices=False)
        U = U[:, d > 1e-9 * d[0]]
        return U @ U.T

    main, cells = ("time", "item"), ("person_time", "person_item", "time_item")
    steps = [
        (projection("time", "item"), projection("person", *main)),
        (projection("person", "item"), projection("person", *main)),
        (projection(), projection("item")),
        (projection("person", *main), projection("person_time", "item")),
        (projection("person_time", "time_item"), projection(*cells)),
        (projection("person_time", "person_item"), projection(*cells)),
        (projection(*cells), np.eye(n)),
    ]
    y = long["y"].to_numpy()
    E = np.array([[np.trace(Z[c].T @ (after - before) @ Z[c]) for c in COMPONENTS] for before, after in steps])
    sums = np.array([y @ (after - before) @ y for before, after in steps])
    return dict(zip(COMPONENTS, np.linalg.solve(E, sums), strict=True))


def dummies(frame: pl.DataFrame) -> np.ndarray:
    code = frame.select(pl.struct(pl.all()).rank("dense")).to_series().to_numpy() - 1
    return np.eye(int(code.max()) + 1)[code]


def layout(seed: int, P: int, T: int, k: int, share: float) -> pl.DataFrame:
    """Answers of all seven components, records missing at random."""
    rng = np.random.default_rng(seed)
    who, when = (x.ravel() for x in np.meshgrid(np.arange(P), np.arange(T), indexing="ij"))
    person_time = rng.normal(0, 1.0, (P, T))[who, when] + 1.5 * rng.normal(size=P)[who] + rng.normal(size=T)[when]
    x = person_time[:, None] + rng.normal(size=(P, k))[who] + rng.normal(size=(T, k))[when] + rng.normal(size=k)
    x = x + 0.6 * rng.normal(size=x.shape)
    frame = pl.DataFrame({"person": who, "time": when.astype(float), **{str(j + 1): x[:, j] for j in range(k)}})
    return frame.filter(pl.Series(rng.random(P * T) < share))


@pytest.mark.parametrize(("seed", "share"), [(1, 0.7), (2, 0.5), (3, 0.85), (4, 1.0)])
def test_records_missing_anyhow_a_dense_method_iii_agrees(seed, share):
    frame = layout(seed, 14, 6, 3, share)
    row, want = found(frame), dense(frame)
    scale = sum(map(abs, want.values()))
    for name in COMPONENTS:
        agree("dense method III", "component / total variance", abs(row[name] - max(0.0, want[name])) / scale, 1e-11)
        assert (name in re.findall(r"(\w+) \(", row["note"])) == (want[name] < 0.0)


def test_the_real_number_of_parts_counts():
    """Two studies that share no occasion: persons and times are adjusted within each."""
    first, second = layout(5, 8, 3, 3, 0.9), layout(6, 8, 3, 3, 0.8)
    frame = pl.concat([first, second.with_columns(pl.col("person") + 100, pl.col("time") + 50)])
    row, want = found(frame), dense(frame)
    below = [name for name, value in want.items() if value < 0.0]
    for name in COMPONENTS:
        assert row[name] == pytest.approx(max(0.0, want[name]), abs=1e-9)
    assert all(name in row["note"] for name in below)


def test_estimates_are_unbiased_where_records_are_missing():
    rng = np.random.default_rng(11)
    P, T, k, rounds = 30, 5, 4, 300
    who, when = (x.ravel() for x in np.meshgrid(np.arange(P), np.arange(T), indexing="ij"))
    there = rng.random(P * T) < np.where(who % 2 == 0, 0.5, 0.95)
    who, when = who[there], when[there]
    n, totals = len(who), []
    truth = {"person": 1.0, "person_time": 0.6, "person_item": 0.5, "residual": 0.8}
    for _ in range(rounds):
        x = rng.normal(size=P)[who][:, None] + 0.6**0.5 * rng.normal(size=(n, 1))
        x = x + 0.5**0.5 * rng.normal(size=(P, k))[who] + 0.8**0.5 * rng.normal(size=(n, k))
        row = found(pl.DataFrame({"person": who, "time": when, **{str(j): x[:, j] for j in range(k)}}))
        totals.append([row[name] for name in truth])
    mean, error = np.mean(totals, axis=0), np.std(totals, axis=0) / rounds**0.5
    assert (np.abs(mean - list(truth.values())) < 4 * error).all()


# -- what is set to zero, and what cannot be computed -----------------------------------------------------------------


def test_negative_components_are_set_to_zero_and_named():
    """Records of pure noise: by hand from the two-way mean squares."""
    x = np.array([[1.0, -1.0], [-1.0, 1.0], [1.0, -1.0], [1.0, -1.0]])
    frame = pl.DataFrame({"person": [1, 1, 2, 2], "time": [1, 2, 1, 2], "1": x[:, 0], "2": x[:, 1]})
    row = found(frame)
    # records' means are 0; their contrast √½(a − b) is √2 · (1, −1, 1, 1): persons, times, error each 1 df and SS 2
    assert row["residual"] == pytest.approx(2.0) and row["person_item"] == 0.0 and row["time_item"] == 0.0
    assert row["person_time"] == 0.0 and "person_time (-1)" in row["note"]
    assert row["r_c"] == 0.0 and row["r_kf"] == 0.0


@pytest.mark.parametrize(
    ("keep", "words"),
    [
        (pl.col("time") == 1.0, "fewer than two persons or two occasions"),
        (pl.col("person") == 3.0, "fewer than two persons or two occasions"),
        (pl.col("person") == pl.col("time"), "too few persons with several occasions"),
        (pl.col("person") < 0.0, "fewer than two persons"),
    ],
)
def test_too_little_is_said(keep, words):
    row = found(study(kept=False).filter(keep))
    assert words in row["note"]
    assert all(row[name] is None for name in (*COMPONENTS, *NESTED, "r_kf", "r_c"))


def test_a_single_item_and_times_that_nobody_shares():
    frame = study(kept=False)
    assert "a single item" in found(frame.select("person", "time", "1"))["note"]
    lonely = pl.concat([frame.with_columns(pl.col("person") + 100 * i) for i in range(8)])
    lonely = lonely.with_columns(time=pl.int_range(pl.len()).cast(pl.Float64))
    assert "2,400 distinct times" in found(lonely)["note"]


def test_incomplete_records_are_left_out():
    frame = study(kept=False)
    holes = frame.with_columns(pl.when(pl.col("kept") == 1.0).then("3").alias("3"))
    whole, part = found(study(kept=True)), found(holes)
    assert part["n_records"] == whole["n_records"] < frame.height
    assert [part[name] for name in COMPONENTS] == pytest.approx([whole[name] for name in COMPONENTS], rel=1e-10)


def test_order_and_names_do_not_matter():
    frame = study(kept=True)
    mixed = frame.sample(fraction=1.0, shuffle=True, seed=1).with_columns(
        ("P" + (500 - pl.col("person")).cast(pl.String)).alias("person")
    )
    assert list(found(mixed).values())[:-1] == pytest.approx(list(found(frame).values())[:-1], rel=1e-9)


def test_two_records_of_a_person_at_a_time_are_refused():
    frame = study(kept=True)
    with pytest.raises(DataError, match="two records at the same time"):
        found(pl.concat([frame, frame.head(1)]))
    with pytest.raises(DataError, match="values of person"):
        generalisability(frame.select("1", "2"), frame["person"].head(3), frame["time"])


# -- correlations of scales -------------------------------------------------------------------------------------------


def test_correlations_at_an_occasion_within_and_between_persons():
    """By numpy, pair by pair, over the records that have both scores."""
    frame = study(kept=True)
    scores = frame.select(
        a=pl.mean_horizontal("1", "2"), b=pl.mean_horizontal("3", "4"), c=pl.mean_horizontal("5", "6")
    )
    scores = scores.with_columns(pl.when(frame["time"] != 4.0).then("b").alias("b"))
    table = scale_correlations(scores, frame["person"], frame["time"])
    assert table.select("scale1", "scale2").rows() == list(combinations("abc", 2))
    for row in table.to_dicts():
        pair = (
            frame.select("person", "time").with_columns(x=scores[row["scale1"]], y=scores[row["scale2"]]).drop_nulls()
        )
        assert row["n"] == pair.height

        def about(group, pair=pair):
            return pair.select(pl.col(v) - pl.col(v).mean().over(group) for v in "xy").to_numpy()

        means = pair.group_by("person").agg(pl.col("x", "y").mean())
        assert row["r"] == pytest.approx(np.corrcoef(about("time").T)[0, 1], abs=1e-13)
        assert row["r_within"] == pytest.approx(np.corrcoef(about("person").T)[0, 1], abs=1e-13)
        assert row["r_between"] == pytest.approx(np.corrcoef(means["x"], means["y"])[0, 1], abs=1e-13)


def test_correlations_by_hand():
    """Two persons, two occasions: between +1, within −1; about the occasions' means 3/5."""
    scores = pl.DataFrame({"a": [1.0, 2.0, 5.0, 6.0], "b": [2.0, 1.0, 6.0, 5.0]})
    row = scale_correlations(scores, pl.Series([1, 1, 2, 2]), pl.Series([1, 2, 1, 2])).row(0, named=True)
    assert row == {"scale1": "a", "scale2": "b", "n": 4, "r": 1.0, "r_within": -1.0, "r_between": 1.0}


def test_scores_that_do_not_vary_have_no_correlation():
    scores = pl.DataFrame({"a": [0.1] * 4, "b": [1.0, 2.0, 3.0, 5.0], "c": [None] * 4})
    table = scale_correlations(scores, pl.Series(["x", "x", "y", "y"]), pl.Series([1, 2, 1, 2]))
    assert table["n"].to_list() == [4, 0, 0]
    assert table.select("r", "r_within", "r_between").null_count().row(0) == (3, 3, 3)
    with pytest.raises(DataError, match="values of time"):
        scale_correlations(scores, pl.Series(["x", "x", "y", "y"]), pl.Series([1, 2]))
