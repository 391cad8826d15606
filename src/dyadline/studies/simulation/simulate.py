"""The one door to simulated studies: twins, parameter files, truths and results."""

from __future__ import annotations

from pathlib import Path

import polars as pl

from dyadline.errors import PlanError, whole_number
from dyadline.plan.truth import Truth
from dyadline.plan.truth_document import make_truth, parse_truth, read_truth
from dyadline.studies.simulation.blocks import BLOCK, Drawing, blocks
from dyadline.studies.simulation.estimated import Analysed, truth_of_result
from dyadline.studies.twins import STUDIES, twin_file
from dyadline.studies.twins import simulate as simulate_twin


def simulate(
    study: str | Path | Truth | Analysed,
    *,
    dyads: int | None = None,
    seed: int | None = None,
    items: bool = False,
    exact: bool = False,
) -> pl.DataFrame:
    """Draw a synthetic study.

    Parameters
    ----------
    study
        ``"study1"`` or ``"study2"``, the bundled twins; a parameter file (TOML); a `Truth`; or the result of `run`,
        whose estimates are then the truth.
    dyads
        Number of dyads, instead of the truth's; therapists grow in proportion. At least 10 for the twins, which above
        10,000 are drawn in blocks, scores and outcome block by block.
    seed
        Of the random numbers, not negative, instead of the truth's.
    items
        Whether the answers to the questionnaires' items stand in place of the scores, as the truth's `items` say: for
        the twins ``wai_p_1 …``, ``wai_t_1 …``, ``bdi_1 …`` or ``scl_1 …``. Scoring them gives the scores, rounded
        to what answers can make and kept within the scale's range.
    exact
        Whether the sample has exactly the stated means, variances and covariances: of random effects and baseline over
        dyads, of residuals over rows. A twin is then drawn anew, its outcome given its scores.

    Returns
    -------
    One row per dyad and occasion at which anything was observed: ``dyad``, ``therapist``, ``arm``, the occasion,
    ``session``, ratings, outcome, baseline, ``n_sessions``, as far as the study has them.

    Raises
    ------
    PlanError
        Unknown study or file, mistakes in it, too few dyads, a negative seed, switches that are neither True nor False.
    """
    for name, switch in (("items", items), ("exact", exact)):
        if not isinstance(switch, bool):
            raise PlanError(f"{name} is True or False, not {switch!r}")
    if is_bundled_draw(study, dyads=dyads, exact=exact):
        return simulate_twin(str(study), dyads=dyads, seed=seed, items=items)
    return pl.concat(blocks(drawing(study, dyads=dyads, seed=seed, items=items, exact=exact)))


def is_bundled_draw(study: object, *, dyads: int | None, exact: bool) -> bool:
    """Whether the twins' own simulator draws the study: a twin of up to 10,000 dyads, not exact."""
    if exact or not (isinstance(study, str) and study in STUDIES):
        return False
    return dyads is None or whole_number(dyads, "The number of dyads", 10) <= BLOCK


def drawing(
    study: str | Path | Truth | Analysed,
    *,
    dyads: int | None = None,
    seed: int | None = None,
    items: bool = False,
    exact: bool = False,
) -> Drawing:
    """What `simulate` draws, without drawing it; arguments and errors as there."""
    truth = truth_of(study)
    if dyads is not None:
        truth = truth.with_dyads(whole_number(dyads, "The number of dyads", 2))
    return Drawing(
        # Copies with other values were not checked when they were made.
        truth=make_truth(truth.model_dump()),
        seed=truth.seed if seed is None else whole_number(seed, "The seed", 0),
        items=items,
        exact=exact,
        folder=Path(study).parent if isinstance(study, str | Path) else None,
    )


def truth_of(study: str | Path | Truth | Analysed) -> Truth:
    """The parameters of a twin, a file or a result; errors as in `simulate`."""
    if isinstance(study, Truth):
        return study
    if isinstance(study, Analysed):
        return truth_of_result(study)
    # A name without suffix is one of the twins, or meant to be.
    if isinstance(study, Path) or (isinstance(study, str) and Path(study).suffix):
        return read_truth(study)
    return parse_truth(twin_file(study, ".toml").read_text(encoding="utf-8"), name=study)
