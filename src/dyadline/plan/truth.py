"""What a simulator is told: the parameters of a study, as a TOML file that is checked like a plan."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import BeforeValidator, Field, model_validator
from pydantic_core import PydanticCustomError

from dyadline.plan.columns import ItemsSection, Name, Number, Section, whole

Whole = Annotated[int, BeforeValidator(whole)]
Variance = Annotated[Number, Field(ge=0)]
Correlation = Annotated[Number, Field(gt=-1, lt=1)]
Share = Annotated[Number, Field(ge=0, lt=1)]

EFFECTS = ("patient", "patient:t", "therapist", "therapist:t", "outcome", "outcome:t")
"""Random effects of a dyad in the order of `covariance`: intercept and slope of each rater and of the outcome."""

PREDICTORS = ("baseline", "convergence", "early_patient", "early_therapist", "development", "early_discrepancy")
"""What the outcome can depend on, in a model's names; ``product`` is development times convergence."""


class NamesTruth(Section):
    """What the columns of a simulated study are called."""

    time: Name = "session"
    """Occasion."""
    patient: Name = "wai_p"
    """Patient's rating."""
    therapist: Name = "wai_t"
    """Therapist's rating."""
    outcome: Name = "outcome"
    """Outcome."""
    baseline: Name = "baseline"
    """Symptoms before the therapy."""


class DropOutTruth(Section):
    """The chance that a therapy ends before an occasion: logistic in what came before."""

    rate: Share
    """Per occasion, for a dyad with average scores, at the first occasion that can be missed."""
    time: Number = 0.0
    """What a further occasion adds to the log odds."""
    outcome: Number = 0.0
    """What one SD of the last outcome adds to the log odds."""
    patient: Number = 0.0
    """What one SD of the patient's last rating adds."""
    therapist: Number = 0.0
    """What one SD of the therapist's last rating adds."""


class MissingTruth(Section):
    """What is not observed."""

    drop_out: Share | DropOutTruth = 0.0
    """The chance, per occasion that can be missed, that the therapy ends before it."""
    skipped: Share = 0.0
    """The chance that all forms of an occasion are missing."""
    form: Share = 0.0
    """The chance that one rater's form is missing."""
    outcome_form: Share = 0.0
    """The chance that the outcome is missing at an occasion that was not skipped."""
    always: Annotated[Whole, Field(ge=1)] = 3
    """Occasions at the start that are never missed."""


class LengthTruth(Section):
    """Number of sessions of a dyad: log-normal, without those below the least."""

    median: Annotated[Number, Field(gt=0)]
    """Median, before those below the least are left out."""
    log_sd: Variance
    """Standard deviation of the logarithm."""
    least: Annotated[Whole, Field(ge=1)]
    """No dyad has fewer."""


class RaterTruth(Section):
    """Curves of one rater over t = occasion − first rated occasion."""

    intercept: Number
    """Mean at t = 0."""
    slope: Number
    """Mean change per unit of time."""
    sd: tuple[Variance, Variance]
    """Standard deviations over dyads of intercept and slope."""
    r: Correlation = 0.0
    """Correlation of intercept and slope."""
    residual: Variance
    """Residual standard deviation."""


class AllianceTruth(Section):
    """Ratings of both."""

    scale: tuple[Number, Number] | None = None
    """Lowest and highest rating; ratings are cut off there and rounded to hundredths. Left out: neither."""
    patient: RaterTruth
    """The patient's curves."""
    therapist: RaterTruth
    """The therapist's curves."""
    between: Correlation = 0.0
    """Correlation of the raters' intercepts, and of their slopes."""
    residual_correlation: Correlation = 0.0
    """Correlation of the raters' residuals at one occasion."""
    ar1: Correlation = 0.0
    """Correlation of a rater's residuals one unit of time apart (φ to the power of the distance)."""


class BaselineTruth(Section):
    """Symptoms before the therapy, normal over dyads."""

    mean: Number
    """Mean."""
    sd: Variance
    """Standard deviation."""
    range: tuple[Number, Number] | None = None
    """Lowest and highest possible score."""
    decimals: Annotated[Whole, Field(ge=0)] | None = None
    """Decimals that are kept."""


class RandomTruth(Section):
    """Of the outcome's curve, over dyads, beyond what predictors explain."""

    intercept: Variance
    """Variance of the intercepts."""
    covariance: Number = 0.0
    """Covariance of intercept and slope."""
    slope: Variance
    """Variance of the slopes."""


class CoefficientsTruth(Section):
    """What a predictor adds; predictors are centred at their mean over dyads."""

    intercept: Number = 0.0
    """Mean where all predictors are average."""
    baseline: Number = 0.0
    """Per unit of baseline symptoms."""
    convergence: Number = 0.0
    """Per unit of convergence."""
    early_patient: Number = 0.0
    """Per unit of the patient's early level."""
    early_therapist: Number = 0.0
    """Per unit of the therapist's early level."""
    development: Number = 0.0
    """Per unit of alliance development."""
    early_discrepancy: Number = 0.0
    """Per unit of early discrepancy."""
    product: Number = 0.0
    """Per unit of development times convergence."""


class TrueConvergence(Section):
    """What convergence of the true curves means."""

    discrepancy: Literal["absolute", "signed", "squared"] = "absolute"
    """How far apart the true curves are."""
    slope: Literal["rate", "toward_zero", "endpoints"] = "rate"
    """How its change becomes one number."""
    unit: Literal["window", "per_unit"] = "window"
    """Change over the whole rating window, or per unit of time."""
    transform: Literal["none", "signed_log", "asinh"] = "none"
    """Transform; only such as do not depend on the sample."""


class OutcomeTruth(Section):
    """The outcome over t = occasion − first occasion."""

    given: Literal["latent", "scored"] = "latent"
    """Whether true curves drive it, or the scores that the default operationalisation gives them."""
    convergence: TrueConvergence = TrueConvergence()
    """What convergence means, where true curves drive the outcome."""
    effect: Correlation | None = None
    """Standardised effect of true convergence on the slope: the correlation of convergence with the slope as the
    other predictors leave it. It takes the place of `slope.convergence`; `random.slope` stays the whole variance."""
    fixed: CoefficientsTruth
    """What adds to the intercept."""
    slope: CoefficientsTruth
    """What adds to the change per unit of time."""
    random: RandomTruth
    """Variances and covariance of intercept and slope."""
    residual: Variance
    """Residual variance."""
    ar1: Correlation = 0.0
    """Correlation of residuals one unit of time apart."""
    decimals: Annotated[Whole, Field(ge=0)] | None = None
    """Decimals that are kept."""


class TherapistEffects(Section):
    """Standard deviations over therapists."""

    outcome: tuple[Variance, Variance] = (0.0, 0.0)
    """Of the outcome's intercept and slope."""
    patient: Variance = 0.0
    """Of the level that a therapist's patients rate."""
    therapist: Variance = 0.0
    """Of the level that a therapist rates."""


class Truth(Section):
    """The parameters of a study that is to be drawn."""

    title: str = ""
    """What the study is called."""
    seed: Annotated[Whole, Field(ge=0)] = 1
    """Of the random numbers, unless another is asked for."""
    dyads: Annotated[Whole, Field(ge=2)]
    """Number of dyads."""
    occasions: Annotated[tuple[Number, ...], Field(min_length=2)]
    """When something is measured, ascending."""
    rated: tuple[Number, ...] | None = None
    """At which of these occasions the alliance is rated; at all unless said."""
    measured: tuple[Number, ...] | None = None
    """At which of these occasions the outcome is measured; at all unless said."""
    sessions: tuple[Whole, ...] | None = None
    """Session of each occasion but the last, which is the dyad's own last session; needs `length`."""
    names: NamesTruth = NamesTruth()
    """What the columns are called."""
    items: dict[str, ItemsSection] = Field(default_factory=dict)
    """Measures whose answers can be drawn in place of a column."""
    therapists: dict[str, Annotated[Whole, Field(ge=1)]] = Field(default_factory=dict)
    """Number of therapists by arm; arms are of equal size. Without any there is no column of therapists."""
    therapist_effects: TherapistEffects = TherapistEffects()
    """How much therapists differ."""
    missing: MissingTruth = MissingTruth()
    """What is not observed."""
    length: LengthTruth | None = None
    """Number of sessions. Without `sessions`, occasions beyond it do not take place."""
    alliance: AllianceTruth
    """Ratings of both."""
    baseline: BaselineTruth
    """Symptoms before the therapy."""
    outcome: OutcomeTruth
    """The outcome."""
    covariance: tuple[tuple[Number, ...], ...] | None = None
    """Covariance of the random effects `patient, patient:t, therapist, therapist:t, outcome, outcome:t` over dyads:
    the first four to six of them; in place of the standard deviations and correlations above."""

    @model_validator(mode="after")
    def _fits_together(self) -> Self:
        from dyadline.plan.truth_checks import contradictions

        if found := contradictions(self):
            words = "; ".join(f"{'.'.join(path)}: {said}" for path, said in found)
            raise PydanticCustomError("contradictions", "{words}", {"words": words, "found": found})
        return self

    @property
    def rated_occasions(self) -> tuple[float, ...]:
        """Occasions at which the alliance is rated."""
        return self.occasions if self.rated is None else self.rated

    @property
    def measured_occasions(self) -> tuple[float, ...]:
        """Occasions at which the outcome is measured."""
        return self.occasions if self.measured is None else self.measured

    def with_dyads(self, dyads: int) -> Self:
        """The same truth with another number of dyads; therapists grow in proportion, at least one per arm."""
        scaled = {arm: max(1, round(count * dyads / self.dyads)) for arm, count in self.therapists.items()}
        return self.model_copy(update={"dyads": dyads, "therapists": scaled})
