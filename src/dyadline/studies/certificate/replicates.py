"""Replicates of the certificate: a study is drawn, and goes the way of every study."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import polars as pl

from dyadline.data.dataset import Dataset
from dyadline.engine.moments import Array
from dyadline.inference.coefficients import coefficients
from dyadline.inference.variance import variance_components
from dyadline.model.fit import Fit
from dyadline.parallel.jobs import Arrays, Part
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.recipes import outcome_model
from dyadline.scoring.score import score
from dyadline.studies.certificate.known import FITS, MODELS, VARIANCES, known_plan, true_values, without_effects
from dyadline.studies.outcome import fit_model, outcome_frame, predictors
from dyadline.studies.twins import simulate

Load = Callable[[AnalysisPlan, pl.DataFrame], Dataset]

QUANTITIES = ("estimate", "std_error", "conf_low", "conf_high")
TESTED = ("df", "p_value")
KENWARD_ROGER = "kr_"
"""Before the names of what Kenward and Roger's method says of the fixed effects."""


@dataclass(frozen=True, slots=True)
class Task:
    """Studies of one kind.

    Attributes
    ----------
    study
        Twin.
    dyads
        How many.
    larger
        Whether it is there to show what becomes of a bias with more dyads.
    """

    study: str
    dyads: int
    larger: bool = False


@dataclass(frozen=True, slots=True)
class Replicates:
    """The work: a replicate is the twin's draw with that number as its seed.

    Attributes
    ----------
    tasks
        What a part's task is a number of.
    load
        From a frame to a dataset; a function of a module, so that processes can be told of it.
    """

    tasks: tuple[Task, ...]
    load: Load

    def __call__(self, part: Part) -> Arrays:
        """Arrays by ``FIT.QUANTITY`` as `replicate` names them, first axis over the part's replicates.

        Raises
        ------
        DyadlineError
            If one of the studies has no answer.
        """
        found = [replicate(self.tasks[part.task], number, self.load) for number in part.numbers]
        return {name: np.stack([one[name] for one in found]) for name in found[0]}


def replicate(task: Task, seed: int, load: Load) -> dict[str, Array]:
    """Draw a study, load and score it, and fit the models that are true of it.

    Parameters
    ----------
    task, seed
        Which study.
    load
        From a frame to a dataset.

    Returns
    -------
    For each of `FITS`, with its key before the dot: ``estimate, std_error, conf_low, conf_high`` of all parameters in
    the order of `true_values`, (k,); ``df, p_value`` of the fixed effects, and with ``kr_`` before their names all six
    of the fixed effects after Kenward and Roger, (p,); ``converged, singular, n_rows``, scalars. NaN where a variance
    on the boundary has no standard error.

    Raises
    ------
    DyadlineError
        If the study has no answer.
    """
    plan = known_plan(task.study)
    specs = {number: outcome_model(number, plan) for number in MODELS}
    dataset = load(plan, simulate(task.study, dyads=task.dyads, seed=seed))
    scoring = score(dataset, plan, simulations=False)
    frame = outcome_frame(dataset, scoring, plan, predictors(list(specs.values())))
    found: dict[str, Array] = {}
    for asked in FITS:
        own = frame if asked.version == "drawn" else without_effects(frame, task.study, asked.model)
        fitted = fit_model(asked.model, specs[asked.model], own, plan.models.method, plan)
        names = [name for name in true_values(task.study, asked) if name not in VARIANCES]
        found |= {f"{asked.key}.{name}": values for name, values in _numbers(fitted, names).items()}
    return found


def _numbers(fitted: Fit, names: list[str]) -> dict[str, Array]:
    fixed = _in_order(coefficients(fitted), names)
    adjusted = _in_order(coefficients(fitted, df="kenward-roger"), names)
    variances = variance_components(fitted).select(QUANTITIES)
    both = pl.concat([fixed.select(QUANTITIES), variances])
    return {
        **{name: _array(both[name]) for name in QUANTITIES},
        **{name: _array(fixed[name]) for name in TESTED},
        **{f"{KENWARD_ROGER}{name}": _array(adjusted[name]) for name in (*QUANTITIES, *TESTED)},
        "converged": np.array(fitted.converged),
        "singular": np.array(fitted.singular),
        "n_rows": np.array(fitted.n_rows),
    }


def _in_order(table: pl.DataFrame, names: list[str]) -> pl.DataFrame:
    """Rows of the table of fixed effects by the names of the true values."""
    order = pl.DataFrame({"term": names})
    return order.join(table, on="term", how="left", maintain_order="left", validate="1:1")


def _array(values: pl.Series) -> Array:
    return values.cast(pl.Float64).fill_null(np.nan).to_numpy()
