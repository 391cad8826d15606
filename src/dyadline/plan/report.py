"""What a plan says about the report: formats, columns of the models' table, decimals."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BeforeValidator, Field, field_validator

from dyadline.plan.columns import Section, whole

Format = Literal["html", "docx", "pdf", "tex", "md"]
FORMATS: tuple[Format, ...] = ("html", "docx", "pdf", "tex", "md")

EstimateColumn = Literal["std_error", "statistic", "df", "p_value", "interval", "standardised"]

Decimals = Annotated[int, BeforeValidator(whole), Field(ge=0, le=10)]


class DecimalsSection(Section):
    """Decimals by what a number is; left out, each has its own (two for most, three for p, one for df)."""

    estimate: Decimals | None = None
    """Coefficients, variances, their standard errors and intervals; left out: by the smallest standard error."""
    statistic: Decimals | None = None
    """t, z, F and χ²."""
    p: Annotated[int, BeforeValidator(whole), Field(ge=2, le=10)] | None = None
    """p values; below the last decimal they are written as smaller than it."""
    df: Decimals | None = None
    """Degrees of freedom that are not whole."""
    proportion: Decimals | None = None
    """Correlations, reliabilities, ICC, R²."""
    percent: Decimals | None = None
    """Shares in per cent."""
    criterion: Decimals | None = None
    """AIC, BIC, −2 log-likelihood."""
    number: Decimals | None = None
    """Means, standard deviations and everything else."""


class ReportSection(Section):
    """What the report looks like."""

    formats: Annotated[tuple[Format, ...], Field(min_length=1)] = ("html",)
    """Files that are written: html, docx, pdf, tex, md."""
    columns: Annotated[tuple[EstimateColumn, ...], Field(min_length=1)] = ("std_error", "df", "p_value", "interval")
    """Of the models' table, beside the estimate: std_error, statistic, df, p_value, interval, standardised."""
    decimals: DecimalsSection = DecimalsSection()
    """Decimals of: estimate, statistic, p, df, proportion, percent, criterion, number."""

    @field_validator("formats", "columns")
    @classmethod
    def _each_once(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if len(set(value)) < len(value):
            raise ValueError("each can be named once")
        return value
