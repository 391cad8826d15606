"""The random numbers of each replicate, from a generator of its own and in a fixed order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dyadline.engine.moments import Array
from dyadline.plan.truth import Truth

THERAPIST_EFFECTS = 4
"""Of a therapist: on the outcome's intercept and slope, the patient's level, the therapist's level."""

Numbers = dict[str, Array]
"""Random numbers by purpose, replicates first."""


def random_numbers(truth: Truth, seeds: Sequence[np.random.SeedSequence]) -> tuple[Numbers, Numbers]:
    """Standard normal and uniform numbers for R studies.

    A replicate takes as many as the truth needs, normal ones first: the same seed gives the same numbers under every
    value of a parameter that does not change the design.

    Returns
    -------
    normal
        ``effects`` (R, 6, J), ``baseline`` (R, J), ``outcome`` (R, J, K), ``raters`` (R, 2, J, K of rated occasions)
        and, with therapists, ``therapists`` (R, 4, number of therapists).
    uniform
        ``arm, provider, length`` (R, J), ``ends, skipped, outcome_form`` (R, J, K) and ``forms`` (R, 2, J, K of rated
        occasions), where they are needed.
    """
    n, occasions, rated = truth.dyads, len(truth.occasions), len(truth.rated_occasions)
    missing = truth.missing
    normal = {
        "effects": (6, n),
        "baseline": (n,),
        "outcome": (n, occasions),
        "raters": (2, n, rated),
        **({"therapists": (THERAPIST_EFFECTS, sum(truth.therapists.values()))} if truth.therapists else {}),
    }
    uniform = {
        **({"arm": (n,), "provider": (n,)} if truth.therapists else {}),
        **({"length": (n,)} if truth.length is not None else {}),
        **({"ends": (n, occasions)} if missing.drop_out != 0.0 else {}),
        **({"skipped": (n, occasions)} if missing.skipped else {}),
        **({"forms": (2, n, rated)} if missing.form else {}),
        **({"outcome_form": (n, occasions)} if missing.outcome_form else {}),
    }
    normals = np.empty((len(seeds), _size(normal)))
    uniforms = np.empty((len(seeds), _size(uniform)))
    for row, seed in enumerate(seeds):
        rng = np.random.default_rng(seed)
        rng.standard_normal(out=normals[row])
        rng.random(out=uniforms[row])
    return _parts(normals, normal), _parts(uniforms, uniform)


def _size(shapes: dict[str, tuple[int, ...]]) -> int:
    return sum(int(np.prod(shape)) for shape in shapes.values())


def _parts(numbers: Array, shapes: dict[str, tuple[int, ...]]) -> Numbers:
    parts, start = {}, 0
    for name, shape in shapes.items():
        end = start + int(np.prod(shape))
        parts[name] = numbers[:, start:end].reshape(len(numbers), *shape)
        start = end
    return parts
