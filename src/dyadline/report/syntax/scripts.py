"""Scripts for SPSS, R and Stata: of one fit, and the files and pages of a whole result."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dyadline.data.frames import as_kind
from dyadline.errors import PlanError, did_you_mean
from dyadline.inference.coefficients import DF, check_df
from dyadline.model.fit import Fit
from dyadline.report.document import Block, Cell, Heading, Paragraph, Source
from dyadline.report.numbers import occasion
from dyadline.report.syntax.expected import expected
from dyadline.report.syntax.layout import Layout, layout
from dyadline.report.syntax.preamble import file_name, preamble
from dyadline.report.syntax.r import r_script
from dyadline.report.syntax.spss import spss_script
from dyadline.report.syntax.stata import stata_script
from dyadline.report.syntax.twin import Program, twin
from dyadline.scoring.growth import BOTH
from dyadline.scoring.ratings import RATERS

if TYPE_CHECKING:
    from dyadline.result import AnalysisResult

PROGRAMS: Mapping[Program, tuple[str, str]] = {"r": ("R", "R"), "spss": ("SPSS", "sps"), "stata": ("Stata", "do")}
"""Name of each program, and the suffix of its scripts."""

FOLDER = "syntax"


def syntax(fit: Fit, program: str, *, data: str = "model_data.csv", df: str = "satterthwaite") -> str:
    """The same model for another program, with the numbers that it must find.

    The script reads a file that `syntax_data` makes, fits the model and says beside it what comes out: fixed effects,
    variances, log-likelihood and criteria as that program counts them. In R and Stata the script stops with an error
    where a number is another one.

    Parameters
    ----------
    fit
        Any model of `fit` or `fit_dyadic`.
    program
        ``"spss"`` (``MIXED``), ``"r"`` (lmerTest, or nlme where residuals have a structure) or ``"stata"``
        (``mixed``, version 14 or later).
    data
        Name of the data file as the script has it.
    df
        Degrees of freedom of the tests, as `coefficients` has them.

    Raises
    ------
    PlanError
        Unknown words; a file name that could not be quoted.
    """
    if program not in PROGRAMS:
        raise PlanError(
            f"There is no syntax for {program!r}",
            way_out=did_you_mean(str(program), PROGRAMS) or "Use 'spss', 'r' or 'stata'",
        )
    check_df(df, DF)
    return _script(fit, program, layout([fit]), data=file_name(data), df=df)  # type: ignore[arg-type]


def syntax_data(fit: Fit) -> Any:
    """The data that `syntax` reads, of the kind of frame that was fitted: write it as CSV beside the script.

    Groups are running numbers and text columns are codes, so that the file holds numbers only; names are those of the
    script. It still holds the values of patients.
    """
    return as_kind(layout([fit]).frame, fit.kind)


def _script(fit: Fit, program: Program, columns: Layout, *, data: str, df: str, title: str = "") -> str:
    model = twin(fit, columns, df=df)
    numbers = expected(fit, model)
    head = preamble(fit, model, columns, title, data)
    if program == "r":
        return r_script(model, numbers, head, data)
    return (spss_script if program == "spss" else stata_script)(model, numbers, columns, head, data)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Set:
    """Models that read one file: its name; name, title and fit of each; tests' df; what the variables are."""

    data: str
    models: Sequence[tuple[str, str, Fit]]
    df: str
    words: str


def _sets(result: AnalysisResult) -> Iterator[_Set]:
    numbered = zip(result.plan.models.run, result.fits, strict=True)
    outcome = [(f"model_{n}", f"Model {n}", fit) for n, fit in numbered if isinstance(fit, Fit)]
    names, start = result.dataset.names, occasion(result.dataset.origin)
    time = f"counts {names.get('time') or result.plan.columns.time} from {start}"
    if outcome:
        words = f"outcome is {names['outcome']}, time {time}; predictors are centred over dyads."
        yield _Set(data="model_data.csv", models=outcome, df=result.plan.models.df, words=words)
    growth = result.scoring.growth
    if growth is not None:
        models = [
            (f"growth_{who}", f"Growth model of {'both' if who == BOTH else who} ratings", fit)
            for who, fit in growth.fits.items()
        ]
        ratings = " and ".join(f"{rater}: {names[f'{rater}_rating']}" for rater in RATERS)
        yield _Set(data="ratings.csv", models=models, df="satterthwaite", words=f"{ratings}; t {time}.")


def result_scripts(result: AnalysisResult) -> dict[str, bytes]:
    """Scripts of every model of a result, and the data that they read: path relative to the report's folder -> content.

    The data files hold the values of patients and are for whoever has the study's file: they are no part of a report.
    """
    files: dict[str, bytes] = {}
    for one in _sets(result):
        columns = layout([fit for *_, fit in one.models])
        files[f"{FOLDER}/{one.data}"] = columns.csv()
        for stem, title, fit in one.models:
            for program, (_, suffix) in PROGRAMS.items():
                text = _script(fit, program, columns, data=one.data, df=one.df, title=f"{title}: {one.words}")
                files[f"{FOLDER}/{stem}.{suffix}"] = text.encode()
    return files


def syntax_blocks(result: AnalysisResult) -> Iterator[Block]:
    """The scripts as a section of a report: no value of a patient is in them."""
    for number, one in enumerate(_sets(result)):
        columns = layout([fit for *_, fit in one.models])
        if number == 0:
            yield from _about(result)
        for stem, title, fit in one.models:
            yield Heading(title=title)
            for program, (name, suffix) in PROGRAMS.items():
                text = _script(fit, program, columns, data=one.data, df=one.df, title=f"{title}: {one.words}")
                file = f"{FOLDER}/{stem}.{suffix}"
                yield Source(title=f"{name}: {file}", text=text, file=file)


def _about(result: AnalysisResult) -> Iterator[Paragraph]:
    yield Paragraph(
        parts=(
            "Each model in the syntax of R, SPSS and Stata, with the numbers that the program must find. ",
            Cell(value="dyadline run", kind="text"),
            " writes the scripts into the folder ",
            Cell(value=FOLDER, kind="text"),
            ", with the data that they read. Those data hold the values of patients: they are not for passing on.",
        )
    )
    if "imputation" in result.tables:
        yield Paragraph(
            parts=("These are the models of the dyads that have all predictors; nothing is imputed in them.",)
        )
