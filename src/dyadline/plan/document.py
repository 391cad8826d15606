"""Plans as text: TOML in and out, and the JSON Schema for editors."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import BaseModel, ValidationError

from dyadline.errors import PlanError, did_you_mean
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.mistakes import Mistake, PlanMistakes, choices, mistakes_of, section_of

_KEY = r"""(?:[A-Za-z0-9_-]+|"(?:[^"\\]|\\.)*"|'[^']*')"""
_DOTTED = rf"{_KEY}(?:\s*\.\s*{_KEY})*"
_HEADER = re.compile(rf"\s*\[\[?\s*({_DOTTED})\s*\]")
_ASSIGNMENT = re.compile(rf"\s*({_DOTTED})\s*=")
_RARE = ("missing", "sensitivity", "checks", "report")
"""Sections that few plans need."""
_OFFERED = {"null": 1000}
"""Values of keys that stand there as a comment while they are off."""
WIDTH = 120
"""Of the lines of comments."""
_STRING = re.compile(r'''"""|\'\'\'|"(?:[^"\\]|\\.)*"|'[^']*'|\#''')


def read_plan(path: str | Path) -> AnalysisPlan:
    """Read a plan from a TOML file.

    Parameters
    ----------
    path
        The plan's file. Its folder is where the data file is looked for.

    Raises
    ------
    PlanError
        If there is no such file or it is not TOML; `PlanMistakes` for everything that is wrong in it.
    """
    path, text = toml_file(path, "plan")
    return parse_plan(text, name=path.name).in_folder(path.parent)


def parse_plan(text: str, *, name: str = "plan") -> AnalysisPlan:
    """Read a plan from TOML text.

    Parameters
    ----------
    text
        The plan.
    name
        What to call it in messages.

    Raises
    ------
    PlanError
        If the text is not TOML; `PlanMistakes` for everything that is wrong in it.
    """
    return make_plan(toml_content(text, name, "plan"), name=name, lines=key_lines(text))


def toml_file(path: str | Path, what: str) -> tuple[Path, str]:
    """Path and text of a file that holds a plan, or another kind of document.

    Raises
    ------
    PlanError
        If it cannot be read, or is no text.
    """
    if not isinstance(path, str | Path):
        raise PlanError(f"The name of the {what}'s file is needed, not {type(path).__name__}")
    path = Path(path)
    try:
        return path, path.read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise PlanError(
            f"There is no {what} {path.name!r}", where=f"folder {path.parent}", way_out=_near(path)
        ) from None
    except UnicodeDecodeError:
        raise PlanError(
            f"{path.name} is not a text in UTF-8", way_out=f"Save the {what} as UTF-8; a data file is not a {what}"
        ) from None
    except OSError as error:
        raise PlanError(
            f"{str(path)!r} cannot be read as a {what}: {error.strerror}", where=f"folder {path.parent}"
        ) from None


def toml_content(text: str, name: str, what: str) -> dict[str, Any]:
    """Keys and values of a TOML text.

    Raises
    ------
    PlanError
        If it is not TOML.
    """
    if not isinstance(text, str):
        raise PlanError(f"The text of a {what} is needed, not {type(text).__name__}")
    try:
        return tomllib.loads(text)
    except (ValueError, RecursionError) as error:
        raise _not_toml(error, text, name, what) from None


def make_plan(
    content: Mapping[str, Any], *, name: str = "plan", lines: Mapping[tuple[str, ...], int] | None = None
) -> AnalysisPlan:
    """A plan from its keys and values.

    Parameters
    ----------
    content
        Sections and keys, as in the TOML file.
    name
        What to call the plan in messages.
    lines
        Line of each key path, where the plan was a text.

    Raises
    ------
    PlanMistakes
        For everything that is wrong in it.
    """
    try:
        return AnalysisPlan.model_validate(content, context={"row_per_rater": "raters" in content})
    except ValidationError as error:
        raise PlanMistakes(mistakes_of(error, content, lines or {}), name=name) from None


def plan_schema() -> dict[str, Any]:
    """JSON Schema (draft 2020-12) of a plan, for editors that complete and check TOML."""
    schema = AnalysisPlan.model_json_schema()
    return {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        **schema,
        "title": "dyadline analysis plan",
    }


def key_lines(text: str) -> dict[tuple[str, ...], int]:
    """Line, from 1, of each section and key of a TOML text that is known to be valid."""
    lines: dict[tuple[str, ...], int] = {}
    section: tuple[str, ...] = ()
    open_string = ""
    for number, line in enumerate(text.split("\n"), start=1):
        if not open_string:
            if header := _HEADER.match(line):
                section = path = _parts(header[1])
            elif assignment := _ASSIGNMENT.match(line):
                path = (*section, *_parts(assignment[1]))
            else:
                path = ()
            for depth in range(1, len(path) + 1):
                lines.setdefault(path[:depth], number)
        open_string = _still_open(line, open_string)
    return lines


def _parts(dotted: str) -> tuple[str, ...]:
    return tuple(next(iter(tomllib.loads(f"{key} = 0"))) for key in re.findall(_KEY, dotted))


def _still_open(line: str, open_string: str) -> str:
    """The multi-line quotes that are open after this line, if any."""
    position = 0
    while True:
        if open_string:
            escaped = r"(?:[^\\]|\\.)*?" if open_string == '"""' else ".*?"
            close = re.compile(escaped + open_string).match(line, position)
            if close is None:
                return open_string
            open_string, position = "", close.end()
        token = _STRING.search(line, position)
        if token is None or token[0] == "#":
            return ""
        position = token.end()
        if token[0] in ('"""', "'''"):
            open_string = token[0]


def _near(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"There is no folder {str(folder)!r} either"
    return did_you_mean(path.name, sorted(entry.name for entry in folder.iterdir()))


def _not_toml(error: ValueError | RecursionError, text: str, name: str, what: str) -> PlanError:
    if isinstance(error, RecursionError):
        return PlanError(f"The {what} is nested too deeply to be one", where=name)
    said, _, place = str(error).partition(" (at ")
    number = re.match(r"line (\d+)", place)
    if said.startswith(("Cannot overwrite", "Cannot declare", "Cannot mutate", "Cannot redefine")):
        said = "a key or section stands twice"
    where = f"{name}, {place.rstrip(')')}" if place else name
    shown = text.split("\n")[int(number[1]) - 1].strip()[:60] if number else ""
    # A line without either may be a patient's: then this is a data file.
    like_a_plan = "=" in shown or shown.startswith("[")
    at = f", at {shown!r}" if like_a_plan else ""
    return PlanError(
        f"The {what} is not valid TOML: {said[:1].lower()}{said[1:]}{at}", where=where,
        way_out='Texts stand in quotes (key = "text"), numbers do not, sections in brackets ([columns])'
        + ("" if like_a_plan else f'; a data file is not a {what}, but a plan is made from it by "dyadline new"'),
    )  # fmt: skip


Comments = Mapping[tuple[str, str], Sequence[str]]


def plan_text(plan: AnalysisPlan, comments: Comments | None = None) -> str:
    """The plan as TOML, each key with its alternatives or its meaning in a comment.

    `parse_plan` gives the same plan back.

    Parameters
    ----------
    plan
        What is asked.
    comments
        Lines to stand as comments above keys, by section and key.
    """
    return "\n".join(_lines(plan, comments or {})) + "\n"


def _lines(plan: AnalysisPlan, comments: Comments) -> Iterator[str]:
    for name, field in AnalysisPlan.model_fields.items():
        section = section_of(field.annotation)
        value = getattr(plan, name)
        if section is None:
            yield toml_line(name, value, "" if name in ("version", "title") else field.description or "")
            continue
        yield ""
        # These stand there as a comment, unless there is something to say about it.
        said = any(place[0] == name for place in comments)
        needless = name in _RARE and value == field.default and not said
        off = "# " if value is None or needless else ""
        yield f"{off}[{name}]"
        for key, inner in section.model_fields.items():
            held = getattr(value, key, None)
            if held is False or (key in ("imputations", "seed") and value.missing_predictors == "listwise"):
                continue  # a switch that is off needs no line, nor what it would switch
            for words in comments.get((name, key), ()):
                yield from (f"# {line}" for line in _folded(words))
            comment = key_comment(inner.annotation, held, inner.description or "")
            if key in _OFFERED and held == inner.default:
                yield toml_line(f"# {key}", _OFFERED[key], comment)
                continue
            line = toml_line(key, held, comment)
            if len(line) > WIDTH:
                yield f"# {comment}:"
                line = toml_line(key, held, "")
            yield line if held is None else off + line


def _folded(words: str) -> list[str]:
    """Lines of a comment; no line break or control character of a file's labels ends it."""
    return wrap("".join(c if c.isprintable() else " " for c in words), WIDTH - 2)


def key_comment(annotation: Any, value: object, description: str) -> str:
    """The alternatives of a choice, or what a key means."""
    others = [str(c) for c in choices(annotation) if c != value]
    plain = isinstance(value, str) and value in choices(annotation) and len(others) > 0
    return f"or {' | '.join(others)}" if plain else description.rstrip(".")


def toml_line(key: str, value: object, comment: str) -> str:
    """A key with its value, as a comment where it has none, and what it means."""
    written = f'# {key} = "..."' if value is None else f"{key} = {_toml(value)}"
    return f"{written:<34} # {comment}" if comment else written


def toml_key(key: str) -> str:
    """A key, in quotes where TOML wants them."""
    return key if re.fullmatch(r"[A-Za-z0-9_-]+", key) else _toml(key)


def _toml(value: object) -> str:
    if isinstance(value, str):
        # JSON's escapes are TOML's, but for the one control character that JSON lets stand.
        return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, tuple):
        # In lists a whole number stands as people write it: occasions, codes, windows.
        whole = (int(v) if isinstance(v, float) and v.is_integer() and abs(v) < 2**53 else v for v in value)
        return f"[{', '.join(map(_toml, whole))}]"
    if isinstance(value, BaseModel):
        value = {key: held for key in type(value).model_fields if (held := getattr(value, key)) is not None}
    if isinstance(value, dict):
        pairs = ", ".join(f"{toml_key(key)} = {_toml(held)}" for key, held in value.items())
        return f"{{ {pairs} }}" if pairs else "{}"
    return repr(value)


__all__ = ["Mistake", "PlanMistakes", "make_plan", "parse_plan", "plan_schema", "plan_text", "read_plan"]
