"""Power of the test of one regression slope, in closed form."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any, Literal

from dyadline.errors import FitError, PlanError, whole_number

LARGEST = 1_000_000_000
"""Dyads beyond which no sample size is sought."""

WRONG_SIDE = 7.0
"""Noncentrality from which on rejections with the wrong sign are fewer than Φ(−7), 1e-12; SciPy's far tail is noise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SlopePower:
    """Sample size, power and slope that belong together.

    Attributes
    ----------
    n
        Number of dyads.
    power
        Of the two-sided t test with these `n` dyads.
    beta
        Standardised slope of the error-free score: positive where it was solved for.
    alpha
        Level of the test.
    solved
        What was left out: ``"n"``, ``"power"`` or ``"beta"``.
    goal
        Power that was asked for; ``None`` where power was solved for. `power` is a little larger where `n` had to be a
        whole number.
    covariates, r2_outcome, r2_predictor, reliability
        As given to `power_slope`.
    beta_observed
        Standardised slope of the score as it is observed, with its error: the attenuated slope.
    r2_added
        Share of the outcome's variance that the observed score explains beyond the covariates.
    f2
        Cohen's f² of the observed score: `r2_added` relative to what remains unexplained.
    df, noncentrality
        Of the t test.
    """

    n: int
    power: float
    beta: float
    alpha: float
    solved: Literal["n", "power", "beta"]
    goal: float | None
    covariates: int
    r2_outcome: float
    r2_predictor: float
    reliability: float
    beta_observed: float
    r2_added: float
    f2: float
    df: int
    noncentrality: float

    def to_dict(self) -> dict[str, Any]:
        """The same as a dictionary, for JSON or a row of a table."""
        return asdict(self)


def power_slope(
    *,
    beta: float | None = None,
    n: int | None = None,
    power: float | None = None,
    alpha: float = 0.05,
    covariates: int = 0,
    r2_outcome: float = 0.0,
    r2_predictor: float = 0.0,
    reliability: float = 1.0,
) -> SlopePower:
    """Sample size, power or smallest detectable slope, whichever of the three is left out.

    The two-sided t test of one standardised slope β in a linear regression with one row per dyad. Under the alternative
    t is noncentral with n − 2 − covariates degrees of freedom and λ = √n·f,

        f² = β²/(1 − β²)                                  without covariates,
        f² = β²(1 − R²ₓ)/(1 − R²ᵧ − β²(1 − R²ₓ))          with them:

    what x adds to R² relative to what is left, where R²ₓ is the predictor's squared multiple correlation with the
    covariates and R²ᵧ the share of the outcome's variance that they explain without it. Power is
    P(t > t₁₋α/2) + P(t < −t₁₋α/2). Without covariates this is Stata's ``power oneslope 0 β, sdx(1) sdy(1)``.

    A score with reliability ρ < 1 stands for the error-free one. Without covariates the slope in standard deviations
    shrinks to β√ρ, not to βρ: error takes the share ρ from the raw slope, but the score's own SD, by which the
    standardised slope is multiplied, is larger by 1/√ρ. With covariates the score has lost to them what they share, and
    its error weighs more: β(ρ − R²ₓ)/(√ρ·(1 − R²ₓ)).

    Predictors are taken as given, with SDs that divide by n, as Stata and G*Power have it. Where every study draws its
    own normal predictors, λ² is f² times a χ² with n − 1 − covariates degrees of freedom; the same power then takes
    about two dyads more, and one more for each covariate.

    Parameters
    ----------
    beta
        Standardised slope of the error-free score, with the covariates in the model: how many SDs of the outcome go
        with one SD of the score. May be negative; the test is two-sided.
    n
        Number of dyads.
    power
        Wanted power, between `alpha` and 1.
    alpha
        Level of the two-sided test.
    covariates
        Number of further predictors, such as the baseline.
    r2_outcome
        Share of the outcome's variance that the covariates explain without the predictor: R² of a hierarchical
        regression's first step.
    r2_predictor
        R² of a regression of the predictor, as observed, on the covariates: 1 − 1/VIF.
    reliability
        Share of the observed score's variance that is not error.

    Returns
    -------
    SlopePower
        `n` is the smallest whole number with at least the wanted power; `power` is that of this `n`.

    Raises
    ------
    PlanError
        Unless exactly one of the three is left out; for numbers that are out of range or that no data can have.
    FitError
        No sample size or no slope has this power.

    References
    ----------
    Cohen, J. (1988). Statistical power analysis for the behavioral sciences (2nd ed.). Erlbaum. Chapter 9.
    Dupont, W. D., & Plummer, W. D. (1998). Power and sample size calculations for studies involving linear regression.
    Controlled Clinical Trials, 19, 589–601.
    Faul, F., Erdfelder, E., Buchner, A., & Lang, A.-G. (2009). Statistical power analyses using G*Power 3.1.
    Behavior Research Methods, 41, 1149–1160.
    StataCorp. Power, precision, and sample-size reference manual: power oneslope, power rsquared.
    Spearman, C. (1904). The proof and measurement of association between two things. American Journal of Psychology,
    15, 72–101.

    Examples
    --------
    >>> power_slope(beta=0.3, power=0.8).n
    82
    >>> round(power_slope(n=96, power=0.8).beta, 3)
    0.278
    """
    left_out = [name for name, value in (("n", n), ("power", power), ("beta", beta)) if value is None]
    if len(left_out) != 1:
        raise PlanError(
            f"Of n, power and beta exactly one is left out, not {len(left_out) or 'none'}",
            way_out="Give the two that are known",
        )
    test = _Test(
        alpha=_share(alpha, "alpha"),
        covariates=whole_number(covariates, "The number of covariates", 0),
        r2_outcome=_share(r2_outcome, "r2_outcome", zero=True),
        r2_predictor=_share(r2_predictor, "r2_predictor", zero=True),
        reliability=_share(reliability, "reliability", one=True),
    )
    test.check()
    if power is not None:
        power = _share(power, "power")
        if power <= test.alpha:
            raise PlanError(f"A test at level {test.alpha:g} has more power than {power:g} at any sample size")
    if n is not None:
        n = whole_number(n, f"With {test.covariates} covariates, n", test.covariates + 3)
    if beta is not None:
        beta = test.possible(beta)
    if n is None:
        assert beta is not None and power is not None
        return test.answer(test.dyads(beta, power), beta, "n", power)
    if beta is None:
        assert power is not None
        return test.answer(n, test.smallest_slope(n, power), "beta", power)
    return test.answer(n, beta, "power", None)


def rejection(noncentrality: float, df: float, alpha: float) -> float:
    """Chance that a two-sided t test rejects, where t has this noncentrality."""
    from scipy.special import nctdtr, stdtrit

    critical, size = stdtrit(df, alpha / 2.0), abs(noncentrality)  # lower tails only: upper ones would cancel
    found = float(nctdtr(df, -size, critical))
    if math.isnan(found):
        raise FitError(f"The power of a test at level {alpha:g} with {df:g} degrees of freedom cannot be computed")
    wrong = float(nctdtr(df, size, critical)) if size < WRONG_SIDE else 0.0
    return found if math.isnan(wrong) else min(1.0, found + wrong)  # no number: less than any digit of the other tail


@dataclass(frozen=True, slots=True, kw_only=True)
class _Test:
    """The test, whatever n and β are."""

    alpha: float
    covariates: int
    r2_outcome: float
    r2_predictor: float
    reliability: float

    def check(self) -> None:
        if not self.covariates and (self.r2_outcome or self.r2_predictor):
            name = "r2_outcome" if self.r2_outcome else "r2_predictor"
            raise PlanError(f"{name} is explained by covariates, and there are none", way_out="Say how many there are")
        if self.r2_predictor >= self.reliability:
            raise PlanError(
                f"The covariates cannot explain {self.r2_predictor:g} of a score of reliability {self.reliability:g}: "
                "its error is beyond them",
                way_out="r2_predictor must be below the reliability",
            )

    @property
    def attenuation(self) -> float:
        """Observed over error-free slope."""
        return (self.reliability - self.r2_predictor) / (math.sqrt(self.reliability) * (1.0 - self.r2_predictor))

    def added(self, beta: float) -> float:
        """Share of the outcome's variance that is the observed score's alone."""
        return (beta * self.attenuation) ** 2 * (1.0 - self.r2_predictor)

    def effect(self, beta: float) -> float:
        """Cohen's f² of the observed score."""
        return self.added(beta) / (1.0 - self.r2_outcome - self.added(beta))

    def limit(self) -> float:
        """The slope with which the error-free score would leave nothing unexplained."""
        return math.sqrt((1.0 - self.r2_outcome) / (1.0 - self.r2_predictor / self.reliability))

    def possible(self, beta: float) -> float:
        beta = _number(beta, "beta")
        if not abs(beta) < self.limit():
            reason = (
                "" if not self.covariates else " with such covariates: it would explain more than all of the outcome"
            )
            raise PlanError(
                f"A standardised slope lies between −{self.limit():.3g} and {self.limit():.3g}, not {beta:g}" + reason
            )
        return beta

    def df(self, n: int) -> int:
        return n - 2 - self.covariates

    def power(self, n: int, beta: float) -> float:
        return rejection(math.sqrt(n * self.effect(beta)), self.df(n), self.alpha)

    def dyads(self, beta: float, power: float) -> int:
        if beta == 0.0:
            raise FitError("Without an effect (beta 0) no sample size has more power than alpha")
        few = self.covariates + 3
        many = few
        while self.power(many, beta) < power:
            if many >= LARGEST:
                raise FitError(f"A slope of {beta:g} needs more than {LARGEST:,} dyads for a power of {power:g}")
            few, many = many + 1, min(2 * many, LARGEST)
        while few < many:
            middle = (few + many) // 2
            few, many = (few, middle) if self.power(middle, beta) >= power else (middle + 1, many)
        return few

    def smallest_slope(self, n: int, power: float) -> float:
        from scipy.optimize import brentq

        df, high = self.df(n), 1.0
        while rejection(high, df, self.alpha) < power:
            high *= 2.0
        least = 4.0 * math.ulp(1.0)
        noncentrality = float(
            brentq(
                lambda size: rejection(size, df, self.alpha) - power, 0.0, high, xtol=1e-300, rtol=least, maxiter=500
            )
        )
        f2 = noncentrality**2 / n
        added = f2 * (1.0 - self.r2_outcome) / (1.0 + f2)
        beta = math.sqrt(added / (1.0 - self.r2_predictor)) / self.attenuation
        if not beta < self.limit():
            raise FitError(
                f"With {n:,} dyads and a score of reliability {self.reliability:g} "
                f"no possible slope has a power of {power:g}"
            )
        return beta

    def answer(self, n: int, beta: float, solved: Literal["n", "power", "beta"], goal: float | None) -> SlopePower:
        return SlopePower(
            n=n,
            power=self.power(n, beta),
            beta=beta,
            alpha=self.alpha,
            solved=solved,
            goal=goal,
            covariates=self.covariates,
            r2_outcome=self.r2_outcome,
            r2_predictor=self.r2_predictor,
            reliability=self.reliability,
            beta_observed=beta * self.attenuation,
            r2_added=self.added(beta),
            f2=self.effect(beta),
            df=self.df(n),
            noncentrality=math.copysign(math.sqrt(n * self.effect(beta)), beta),
        )


def _number(value: object, name: str) -> float:
    try:
        number = math.nan if isinstance(value, bool | str) else float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError, OverflowError):
        number = math.nan
    if not math.isfinite(number):
        raise PlanError(f"{name} is a number, not {value!r}")
    return number


def _share(value: object, name: str, *, zero: bool = False, one: bool = False) -> float:
    """A number between 0 and 1, with the ends that are allowed."""
    share = _number(value, name)
    if not (0.0 < share < 1.0 or (zero and share == 0.0) or (one and share == 1.0)):
        least, most = "at least 0" if zero else "above 0", "at most 1" if one else "below 1"
        raise PlanError(f"{name} is {least} and {most}, not {value!r}")
    return share
