"""What terms, scores and models are called in print."""

from __future__ import annotations

from collections.abc import Iterable

from dyadline.errors import Finding
from dyadline.plan.columns import TIME as OCCASION
from dyadline.plan.columns import ColumnsSection, ItemsSection
from dyadline.plan.model import ModelSpec, Term, Variable, term_label

TIME = "time"

NAMES = {
    "outcome": "Outcome",
    TIME: "Time",
    "baseline": "Initial symptoms",
    "convergence": "Convergence",
    "convergence_raw": "Convergence, before transform",
    "early_patient": "Early alliance, patient",
    "early_therapist": "Early alliance, therapist",
    "early_discrepancy": "Early discrepancy",
    "development": "Alliance development",
    "patient_rating": "Patient's rating",
    "therapist_rating": "Therapist's rating",
}

SHORT = {
    "early_patient": "Early alliance (P)",
    "early_therapist": "Early alliance (T)",
    "development": "Alliance dev.",
}
"""For products, which would not fit otherwise."""

MODELS = {"1": "Null model", "2": "Convergence only", "3": "Convergence and covariates"}

CONVENTIONS = {"spss": "SPSS", "lme4": "lme4", "nlme": "nlme", "sas": "SAS"}

SHOWN_ROWS = 10
"""Row numbers of a finding that are printed."""

TRANSFORMS = {"log": "ln {}", "log1p": "ln(1 + {})", "sqrt": "√{}", "exp": "exp {}"}


def name(column: str) -> str:
    """A column in words: the analysis' own ones have a name, all others are called as in the file."""
    return NAMES.get(column, column)


def _variable(variable: Variable, *, short: bool) -> str:
    word = SHORT.get(variable.column, name(variable.column)) if short else name(variable.column)
    return TRANSFORMS.get(variable.transform, "{}").format(word)


def split_time(term: Term) -> tuple[Term, Term]:
    """A term's variables that change from occasion to occasion (time), and those of the dyad."""
    over_time = tuple(v for v in term if v.column == TIME)
    return over_time, tuple(v for v in term if v.column != TIME)


def term_words(term: Term) -> str:
    """``Intercept``, ``Slope (time)``, ``Convergence``, ``Convergence × Time``: time comes last."""
    over_time, of_dyad = split_time(term)
    if not term:
        return "Intercept"
    if not of_dyad and len(over_time) == 1 and not over_time[0].transform:
        return "Slope (time)"
    return " × ".join(_variable(v, short=len(term) > 1) for v in of_dyad + over_time)


def terms_in_print(specs: Iterable[ModelSpec]) -> dict[str, str]:
    """Terms of several models as rows of one table: label in the coefficient table -> words.

    Intercept and slope first, then what enters the intercept, then the same for the slope.
    """
    known: dict[str, Term] = {}
    for spec in specs:
        known |= {term_label(term): term for term in spec.fixed if term_label(term) not in known}

    plain = list(known.values())

    def place(label: str) -> tuple[int, int, int]:
        over_time, of_dyad = split_time(known[label])
        rank = 0 if not of_dyad else 1 + len(over_time)
        return rank, len(of_dyad), _first_mention(of_dyad, plain)

    return {label: term_words(known[label]) for label in sorted(known, key=place)}


def _first_mention(of_dyad: Term, terms: list[Term]) -> int:
    """Where the same predictors first stand without time, so that both halves keep one order."""
    wanted = {v.label for v in of_dyad}
    for position, term in enumerate(terms):
        if {v.label for v in term} == wanted:
            return position
    return len(terms)


def model_words(model: object) -> tuple[str, str]:
    """``("Model 2", "Convergence only")`` for 2 or "2" or "Model 2"; other names stay as they are."""
    number = str(model).removeprefix("Model").removeprefix("model").strip(" _")
    if number in MODELS:
        return f"Model {number}", MODELS[number]
    return str(model), ""


def heading(column: str) -> str:
    """A column of the file as a heading or the title of an axis: ``session_number`` -> ``Session number``."""
    words = column.replace("_", " ").strip()
    return words[:1].upper() + words[1:] if words else column


def source(columns: ColumnsSection, role: str) -> str:
    """Where a role's values come from: a column of the file, columns by occasion, or a measure."""
    column = getattr(columns, role)
    return column.measure if isinstance(column, ItemsSection) else str(column).replace(OCCASION, "…")


def places(finding: Finding) -> str:
    """Where a finding was made: column and row numbers, never a dyad's name or value."""
    said = [f"column {finding.column}"] if finding.column else []
    if finding.rows:
        shown = ", ".join(str(row) for row in finding.rows[:SHOWN_ROWS])
        more = len(finding.rows) - SHOWN_ROWS
        said.append(f"row{'s' if len(finding.rows) > 1 else ''} {shown}" + (f" and {more} more" if more > 0 else ""))
    return "; ".join(said)
