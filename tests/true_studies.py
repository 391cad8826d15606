"""A truth for tests, changed key by key."""

from __future__ import annotations

from typing import Any

import numpy as np

from dyadline.plan.truth import Truth

PLAIN: dict[str, Any] = {
    "dyads": 60,
    "occasions": [1, 2, 3, 4, 6, 8],
    "alliance": {
        "patient": {"intercept": 4.9, "slope": 0.065, "sd": [1.15, 0.25], "r": -0.25, "residual": 0.45},
        "therapist": {"intercept": 5.1, "slope": 0.035, "sd": [0.75, 0.2], "r": -0.2, "residual": 0.42},
        "between": 0.45,
    },
    "baseline": {"mean": 35.8, "sd": 9.5},
    "outcome": {
        "fixed": {"intercept": 32.0},
        "slope": {"intercept": -0.9},
        "random": {"intercept": 49.0, "covariance": -1.9, "slope": 1.2},
        "residual": 18.0,
    },
}

COVARIANCE = [
    [1.3, -0.05, 0.4, 0.02, 1.0, -0.1],
    [-0.05, 0.06, 0.01, 0.02, 0.1, -0.05],
    [0.4, 0.01, 0.6, -0.03, -0.5, 0.1],
    [0.02, 0.02, -0.03, 0.05, 0.2, 0.03],
    [1.0, 0.1, -0.5, 0.2, 40.0, -2.0],
    [-0.1, -0.05, 0.1, 0.03, -2.0, 1.5],
]
"""Of all six random effects."""

FULL = {
    "alliance.scale": [1, 7],
    "alliance.residual_correlation": 0.3,
    "alliance.ar1": 0.4,
    "outcome.ar1": 0.5,
    "outcome.decimals": 2,
    "outcome.effect": -0.3,
    "rated": [2, 3, 6, 8],
    "baseline.range": [14, 58],
    "baseline.decimals": 0,
    "therapists": {"CBT": 8, "IPT": 5},
    "therapist_effects": {"outcome": [2.0, 0.3], "patient": 0.4, "therapist": 0.3},
    "missing": {
        "drop_out": {"rate": 0.05, "time": 0.1, "outcome": 0.5, "patient": -0.4, "therapist": -0.2},
        "skipped": 0.1,
        "form": 0.05,
        "outcome_form": 0.05,
    },
    "length": {"median": 9, "log_sd": 0.5, "least": 3},
}
"""Everything at once."""


def truth(changes: dict[str, Any] | None = None, **more: Any) -> Truth:
    """The plain truth with other values at dotted paths."""
    content: dict[str, Any] = {key: dict(held) if isinstance(held, dict) else held for key, held in PLAIN.items()}
    for path, value in {**(changes or {}), **more}.items():
        *sections, key = path.split(".")
        place = content
        for section in sections:
            place[section] = dict(place.get(section, {}))
            place = place[section]
        place[key] = value
    return Truth.model_validate(content)


def seeds(number: int = 1, entropy: int = 1) -> list[np.random.SeedSequence]:
    return np.random.SeedSequence(entropy).spawn(number)
