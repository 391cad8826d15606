"""Frames of other kinds: what pandas allows and what may not be installed."""

from __future__ import annotations

import datetime as dt

import narwhals as nw
import pandas as pd
import polars as pl
import pytest

import dyadline as dl
from dyadline.data.frames import as_kind, polars_frame
from dyadline.studies.twins import twin_data


@pytest.fixture
def without_pyarrow(monkeypatch):
    def absent(*_, **__):
        raise ModuleNotFoundError("No module named 'pyarrow'")

    monkeypatch.setattr(nw.Series, "to_polars", absent)
    monkeypatch.setattr(pl.DataFrame, "to_pandas", absent)


@pytest.mark.usefixtures("without_pyarrow")
def test_pandas_needs_no_pyarrow():
    frame = twin_data("study1")
    columns = {name: frame[name].to_list() for name in frame.columns}
    fitted = dl.fit("bdi ~ session + arm + (session | dyad)", pd.DataFrame(columns))
    expected = dl.fit("bdi ~ session + arm + (session | dyad)", frame)
    assert fitted.criterion == expected.criterion
    table = dl.coefficients(fitted)
    assert isinstance(table, pd.DataFrame)
    assert table["estimate"].to_list() == dl.coefficients(expected)["estimate"].to_list()
    assert dl.variance_components(fitted)["term2"].isna().to_list() == [True, False, True, True]


@pytest.mark.usefixtures("without_pyarrow")
def test_missing_values_dates_and_truth_values_survive():
    day = dt.datetime(2024, 5, 1)
    frame = pd.DataFrame({"t": ["a", None], "x": [1.5, None], "d": [day, None], "b": [True, False]})
    got = polars_frame(frame)
    assert got["t"].to_list() == ["a", None]
    assert got["x"].to_list() == [1.5, None]
    assert got["d"].to_list() == [day, None]
    assert got["b"].cast(pl.Int64).to_list() == [1, 0]


def test_mixed_columns_come_as_text():
    assert polars_frame(pd.DataFrame({"x": [1, "two", None]}))["x"].to_list() == ["1", "two", None]


@pytest.mark.parametrize("kind", ["pandas", "pyarrow"])
def test_a_table_goes_out_as_the_kind_that_came(kind):
    table = pl.DataFrame({"a": ["x", None], "n": [1.0, None]})
    back = as_kind(table, kind)
    assert type(back).__module__.split(".")[0] == kind
    assert polars_frame(back).fill_nan(None).equals(table)


def test_a_pandas_index_with_names_is_columns_and_levels_of_names_are_refused():
    frame = pd.DataFrame({"dyad": [1, 1], "session": [1, 2], "wai": [4.0, 5.0]})
    indexed = polars_frame(frame.set_index(["dyad", "session"]))
    assert indexed.to_dict(as_series=False) == {"dyad": [1, 1], "session": [1, 2], "wai": [4.0, 5.0]}
    frame.columns = pd.MultiIndex.from_tuples([("a", name) for name in frame.columns])
    with pytest.raises(dl.DataError, match="several levels"):
        polars_frame(frame)
