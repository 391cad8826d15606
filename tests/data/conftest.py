"""A small study that everything can be computed for by hand."""

from collections.abc import Callable
from typing import Any

import polars as pl
import pytest

from dyadline.plan.analysis import AnalysisPlan


@pytest.fixture(scope="session")
def plan_of() -> Callable[..., AnalysisPlan]:
    def make(
        *,
        time: dict[str, Any] | None = None,
        outcome_window: Any = "all",
        models: dict[str, Any] | None = None,
        **columns: Any,
    ) -> AnalysisPlan:
        known = {
            "dyad": "id",
            "time": "session",
            "patient_rating": "wai_p",
            "therapist_rating": "wai_t",
            "outcome": "bdi",
        }
        return AnalysisPlan.model_validate(
            {
                "columns": known | columns,
                "time": time or {},
                "convergence": {"outcome_window": outcome_window},
                "models": models or {},
            }
        )

    return make


@pytest.fixture
def study() -> pl.DataFrame:
    """Dyads b, a, c in this order; b's rows are not in order of time; c ends early."""
    return pl.DataFrame(
        {
            "id": ["b", "a", "b", "a", "a", "b", "c"],
            "therapist": [7, 8, None, 8, 8, 7, 7],
            "session": [3, 1, 1, 2, 3, 2, 1],
            "wai_p": [5.0, 4.0, 3.0, 4.5, None, 4.0, 6.0],
            "wai_t": [5.5, 5.0, 4.0, 5.5, 6.0, None, 5.0],
            "bdi": [10.0, 30.0, None, 28.0, 20.0, 14.0, 22.0],
            "bdi_pre": [18, 31, 18, None, 31, 18, None],
            "n": [20, 40, 20, 40, 40, 20, 3],
        }
    )
