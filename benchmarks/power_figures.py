"""The figures of docs/power.md, from simulated studies like the first twin.

Usage: python benchmarks/power_figures.py [replicates, 1000 unless said]. Writes docs/power_*.png, always the same.
"""

from __future__ import annotations

import sys
from pathlib import Path

import dyadline as dl
from dyadline.plan.truth import TherapistEffects, Truth
from dyadline.report.power.compose import power_document
from dyadline.report.writers import pictures
from dyadline.studies.twins import parameters

DOCS = Path(__file__).resolve().parents[1] / "docs"
SCALE = 0.4
"""Of 300 dots per inch."""

SCORES = ("plan", "ols", "signed/none", "squared", "observed")

Study = str | Truth
ASKED: dict[str, tuple[Study, dict[str, object]]] = {
    "power-by-dyads": ("study1", {"dyads": range(60, 341, 40), "sessions": (3, 8, 14)}),
    "dyads-sessions": ("study1", {"dyads": range(60, 341, 40), "sessions": (3, 8, 14)}),
    "power-by-drop-out": ("study1", {"drop_out": (0.0, 0.15, 0.3, 0.45, 0.6)}),
    "therapists": (
        Truth.model_validate(parameters("study1")).model_copy(
            update={"therapist_effects": TherapistEffects(outcome=(2.0, 0.5), patient=0.3, therapist=0.3)}
        ),
        {"per_therapist": (1, 3, 6, 12), "null": True},
    ),
    "scores": ("study1", {"scores": SCORES, "error_free": True}),
    "attenuation": ("study1", {"sessions": (3, 5, 8, 14), "error_free": True}),
}
"""Figure of the report -> what is asked for it."""


def main(replicates: int) -> None:
    made: dict[str, dl.PowerResult] = {}
    for key, (study, asked) in ASKED.items():
        name = repr(asked)
        if name not in made:
            lean = {"models": (3,), "null": False, "error_free": False, "replicates": replicates}
            made[name] = dl.power_design(study, **{**lean, **asked}, executor="processes", workers=2)
        (figure,) = [figure for figure in power_document(made[name]).figures() if figure.key == key]
        path = DOCS / f"power_{key.removeprefix('power-').replace('-', '_')}.png"
        path.write_bytes(pictures.png(figure, scale=SCALE))
        print(f"{path.name}: {path.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 1000)
