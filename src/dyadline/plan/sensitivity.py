"""What a plan says about sensitivity: under which other choices the effects of convergence are estimated again."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from dyadline.plan.columns import Section, whole

Variant = Literal["complete_cases", "sessions", "fewer_sessions"]
VARIANTS: tuple[Variant, ...] = ("complete_cases", "sessions", "fewer_sessions")


class SensitivitySection(Section):
    """Under which other choices the effects of convergence are estimated again."""

    run: tuple[Variant, ...] = VARIANTS
    """Any of complete_cases, sessions (their number as predictor), fewer_sessions; [] for none."""
    most_sessions: Annotated[int, BeforeValidator(whole), Field(ge=1)] = 40
    """Dyads with more sessions are left out under fewer_sessions."""

    @field_validator("run")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each can be named once")
        return value
