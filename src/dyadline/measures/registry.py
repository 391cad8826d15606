"""Which measures there are: those that come with the package, and the user's own beside the plan."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache
from importlib.resources import files
from pathlib import Path

from dyadline.errors import Finding, PlanError, did_you_mean
from dyadline.measures.files import content_of, parse_measure
from dyadline.measures.measure import Measure, folded
from dyadline.words import listed

OWN_FOLDER = "measures"
"""Folder beside the plan where users may keep their measures."""


def measure(name: str, folder: str | Path | None = None) -> Measure:
    """A measure by its name; case, hyphens and underscores make no difference.

    Parameters
    ----------
    name
        The measure's name.
    folder
        The plan's folder, where ``NAME.toml`` (or ``measures/NAME.toml``) comes before the package's own.

    Raises
    ------
    PlanError
        If there is none of that name; `PlanMistakes` for everything that is wrong in the user's file.
    """
    return find(name, folder)[0]


def find(name: str, folder: str | Path | None = None) -> tuple[Measure, Finding | None]:
    """As `measure`, with a finding where the user's file takes the place of one of the package's own."""
    if not isinstance(name, str):
        raise PlanError(f"The name of a measure is needed, not {type(name).__name__}")
    own = [path for path in _toml_files(folder) if folded(path.stem) == folded(name) and not _is_plan(path)]
    built_in = _built_in().get(folded(name))
    if len(own) > 1:
        raise PlanError(
            f"There are {len(own)} files for the measure {name!r}", where=listed([_place(path) for path in own]),
            way_out="Keep one of them",
        )  # fmt: skip
    if own:
        return _read(own[0]), None if built_in is None else _shadowed(built_in, own[0])
    if built_in is None:
        # By their files' names, so that a mistake in another measure does not hide what was asked.
        names = [m.name for m in _built_in().values()] + [
            path.stem for path in _toml_files(folder) if _is_measure(path)
        ]
        known = list({folded(known): known for known in sorted(names)}.values())
        hint = did_you_mean(name, known)
        raise PlanError(
            f"There is no measure {name!r}", way_out=" ".join(filter(None, (
                hint, f"There are {listed(known)}; any other can be described in a file {name}.toml beside the plan",
            ))),
        )  # fmt: skip
    return built_in, None


def measures(folder: str | Path | None = None) -> tuple[Measure, ...]:
    """All measures, by name; a user's own in place of the package's of the same name.

    Parameters
    ----------
    folder
        The plan's folder. Files there that have no scales are something else, such as plans, and are passed over.

    Raises
    ------
    PlanMistakes
        For everything that is wrong in a user's file.
    """
    own = {folded(path.stem): _read(path) for path in _toml_files(folder) if _is_measure(path)}
    return tuple(found for _, found in sorted({**_built_in(), **own}.items()))


@cache
def _built_in() -> dict[str, Measure]:
    folder = files("dyadline.measures") / "instruments"
    texts = {
        entry.name: entry.read_text(encoding="utf-8") for entry in folder.iterdir() if entry.name.endswith(".toml")
    }
    made = (parse_measure(text, file=file) for file, text in texts.items())
    return {folded(found.name): found for found in made}


def _toml_files(folder: str | Path | None) -> Iterator[Path]:
    if not isinstance(folder, str | Path | None):
        raise PlanError(f"The plan's folder is needed, not {type(folder).__name__}")
    folder = None if folder is None else Path(folder)
    for place in () if folder is None else (folder, folder / OWN_FOLDER):
        if place.is_dir():
            yield from sorted(path for path in place.iterdir() if path.suffix.lower() == ".toml" and path.is_file())


def _read(path: Path) -> Measure:
    return parse_measure(_text(path), file=path.stem + ".toml")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise PlanError(f"{path.name} is not a text in UTF-8", way_out="Save the measure as UTF-8") from None
    except OSError as error:
        raise PlanError(f"{path.name} cannot be read: {error.strerror}", where=f"folder {path.parent.name}") from None


def _is_measure(path: Path) -> bool:
    """Whether a listing takes the file for a measure: it has scales, or lies where only measures are kept."""
    if path.parent.name == OWN_FOLDER:
        return True
    try:
        return "scales" in content_of(_text(path), file=path.name)
    except PlanError:
        return False


def _is_plan(path: Path) -> bool:
    """A plan may have a measure's name: phq-9.toml that uses phq-9."""
    try:
        return "columns" in content_of(_text(path), file=path.name)
    except PlanError:
        return False


def _place(path: Path) -> str:
    return f"{OWN_FOLDER}/{path.name}" if path.parent.name == OWN_FOLDER else path.name


def _shadowed(built_in: Measure, path: Path) -> Finding:
    return Finding(
        code="own-measure",
        level="note",
        words=f"The measure {built_in.name!r} is read from {_place(path)}, which takes the place of the package's own.",
        way_out="If the package's own is meant, rename the file.",
    )
