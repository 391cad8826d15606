"""Many studies drawn from one truth."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dyadline.plan.truth import Truth
from dyadline.studies.simulation.drawn import Drawn


def draw(truth: Truth, seeds: Sequence[np.random.SeedSequence], *, exact: bool = False) -> Drawn:
    """Draw one study per seed; each depends on its own seed alone, not on the company that it is drawn in.

    Parameters
    ----------
    truth
        Design and parameters.
    seeds
        R of them.
    exact
        Whether each sample has exactly the stated moments.
    """
    raise NotImplementedError
