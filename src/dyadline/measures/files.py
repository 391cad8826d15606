"""Measure files: TOML text becomes a `Measure`, or every mistake in it is said at once."""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ValidationError

from dyadline.errors import PlanError, did_you_mean
from dyadline.measures.measure import Measure, Scale, folded
from dyadline.plan.document import key_lines
from dyadline.plan.mistakes import KeyPath, Mistake, PlanMistakes, allowed, line_of, written


def parse_measure(text: str, *, file: str) -> Measure:
    """Read a measure from the text of its file.

    Parameters
    ----------
    text
        The file's content, TOML.
    file
        The file's name with its ending; without it, it is the measure's name.

    Raises
    ------
    PlanError
        If the text is not TOML; `PlanMistakes` for everything that is wrong in it.
    """
    content = content_of(text, file=file)
    name = file.removesuffix(".toml")
    lines = key_lines(text)
    mistakes: tuple[Mistake, ...] = ()
    made = None
    try:
        made = Measure.model_validate({"name": name, **content})
    except ValidationError as error:
        mistakes = _mistakes_of(error, content, lines)
    said = content.get("name", name)
    if isinstance(said, str) and said and folded(said) != folded(name):
        wrong = Mistake(
            path="name",
            line=line_of(("name",), lines),
            message=f"found {written(said)} in a file that is called {file!r}",
            hint="A measure has the name of its file; this line can be left out.",
        )
        mistakes = (wrong, *mistakes)
    if made is None or mistakes:
        raise PlanMistakes(tuple(sorted(mistakes, key=lambda m: (m.line or 0, m.path))), name=file)
    return made


def content_of(text: str, *, file: str) -> dict[str, Any]:
    """Keys and values of a TOML text.

    Raises
    ------
    PlanError
        If it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except RecursionError:
        raise PlanError("The measure is nested too deeply to be one", where=file) from None
    except ValueError as error:
        said, _, place = str(error).partition(" (at ")
        raise PlanError(
            f"The measure is not valid TOML: {said[:1].lower()}{said[1:]}",
            where=f"{file}, {place.rstrip(')')}" if place else file,
            way_out='Texts stand in quotes (key = "text"), numbers do not, scales have a heading ([scales.total])',
        ) from None


def _mistakes_of(
    error: ValidationError, content: Mapping[str, Any], lines: Mapping[KeyPath, int]
) -> tuple[Mistake, ...]:
    """What pydantic found, one mistake per key."""
    found: dict[KeyPath, Mistake] = {}
    for detail in error.errors(include_url=False):
        where = tuple(str(part) for part in detail["loc"])
        path = where[: 3 if where[0] == "scales" else 1]
        if detail["type"] == "string_pattern_mismatch":
            path = where[:2]
        if path not in found:
            # Within a list or a table the type of the whole is what has to be said.
            own = where == path or detail["type"] in ("value_error", "string_pattern_mismatch")
            kind = detail["type"] if own else "type"
            message, hint = _words(path, kind, detail["msg"], content)
            found[path] = Mistake(path=".".join(path), line=line_of(path, lines), message=message, hint=hint)
    return tuple(found.values())


def _words(path: KeyPath, kind: str, said: str, content: Mapping[str, Any]) -> tuple[str, str]:
    model: type[BaseModel] = Scale if len(path) == 3 else Measure
    fields, key = model.model_fields, path[-1]
    if kind == "extra_forbidden":
        return f"there is no key {key!r} here", _nearest_key(path, fields)
    if kind == "value_error":
        return said.removeprefix("Value error, ").rstrip("."), ""
    if len(path) == 2:
        if kind == "string_pattern_mismatch":
            return "a scale's name has letters, digits, - and _ only", ""
        return "a scale is a section with the keys " + ", ".join(Scale.model_fields), ""
    description = (fields[key].description or "").rstrip(".")
    if kind == "missing":
        return f"missing ({description[0].lower()}{description[1:]})", ""
    value: Any = content
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    if path == ("scales",) and (kind == "too_short" or not isinstance(value, Mapping)):
        return "a measure needs at least one scale, as in [scales.total]", ""
    if kind in ("too_short", "string_too_short"):
        return "it is empty", ""
    if kind.startswith(("greater", "less")):
        return f"found {written(value)}; {said[:1].lower()}{said[1:]}".replace("input should", "it should"), ""
    known = {"score": ("mean", "sum"), "higher": ("better", "worse")}.get(key, ())
    return f"found {written(value)}; allowed is {allowed(fields[key].annotation)}", did_you_mean(value, known)


def _nearest_key(path: KeyPath, fields: Mapping[str, Any]) -> str:
    key = path[-1]
    if len(path) == 1 and key in Scale.model_fields:
        return f"{key!r} belongs in a scale, as in [scales.total]."
    if len(path) == 3 and key in Measure.model_fields:
        return f"{key!r} belongs before the first scale."
    return did_you_mean(key, fields) or f"Known here: {', '.join(fields)}."
