"""Truths as text: parameter files in and out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from textwrap import wrap
from typing import Any

from pydantic import BaseModel, ValidationError

from dyadline.errors import PlanError
from dyadline.plan.document import WIDTH, key_comment, key_lines, toml_content, toml_file, toml_key, toml_line
from dyadline.plan.mistakes import PlanMistakes, mistakes_of, section_of
from dyadline.plan.truth import Truth

WHAT = "parameter file"


def read_truth(path: str | Path) -> Truth:
    """Read the parameters of a study that is to be simulated from a TOML file.

    Raises
    ------
    PlanError
        If there is no such file or it is not TOML; `PlanMistakes` for everything that is wrong in it.
    """
    path, text = toml_file(path, WHAT)
    return parse_truth(text, name=path.name)


def parse_truth(text: str, *, name: str = WHAT) -> Truth:
    """Read the parameters of a study from TOML text.

    Parameters
    ----------
    text
        The parameter file.
    name
        What to call it in messages.

    Raises
    ------
    PlanError
        If the text is not TOML; `PlanMistakes` for everything that is wrong in it.
    """
    return make_truth(toml_content(text, name, WHAT), name=name, lines=key_lines(text))


def make_truth(
    content: Mapping[str, Any], *, name: str = WHAT, lines: Mapping[tuple[str, ...], int] | None = None
) -> Truth:
    """A truth from its keys and values; errors as in `parse_truth`."""
    try:
        return Truth.model_validate(content)
    except ValidationError as error:
        raise PlanMistakes(mistakes_of(error, content, lines or {}, Truth), name=name) from None


def truth_text(truth: Truth) -> str:
    """The truth as TOML, each key with its alternatives or its meaning in a comment; `parse_truth` gives it back."""
    if not isinstance(truth, Truth):
        raise PlanError(f"A truth is needed, not {type(truth).__name__}")
    return "\n".join(_lines(Truth, truth, ())) + "\n"


def _lines(kind: type[BaseModel], held: BaseModel, path: tuple[str, ...]) -> Iterator[str]:
    """Keys first, then sections: what TOML reads after a header belongs to it."""
    sections = []
    for name, field in kind.model_fields.items():
        value, words = getattr(held, name), field.description or ""
        if isinstance(value, BaseModel | dict) or (value is None and section_of(field.annotation)):
            sections.append(name)
        else:
            yield from _key(name, value, key_comment(field.annotation, value, words))
    for name in sections:
        value, field = getattr(held, name), kind.model_fields[name]
        here = ".".join(toml_key(part) for part in (*path, name))
        yield ""
        yield from _said(f"[{here}]" if value is not None else f"# [{here}]", field.description or "")
        if isinstance(value, dict):
            yield from (toml_line(toml_key(key), entry, "") for key, entry in value.items())
        elif isinstance(value, BaseModel):
            yield from _lines(type(value), value, (*path, name))
        elif section := section_of(field.annotation):
            for key, inner in section.model_fields.items():
                yield from _key(key, None, inner.description or "")


def _key(name: str, value: object, comment: str) -> Iterator[str]:
    if value is None:
        yield from _said(f"# {name} = ...", comment)
    elif isinstance(value, tuple) and value and isinstance(value[0], tuple):
        rows = (f"    [{', '.join(map(repr, row))}]," for row in value)
        yield from _said("\n".join([f"{name} = [", *rows, "]"]), comment)
    else:
        yield from _said(toml_line(name, value, ""), comment)


def _said(written: str, comment: str) -> Iterator[str]:
    """A line with its comment behind it or, where that is too long, above it."""
    comment = comment.rstrip(".")
    line = f"{written:<34} # {comment}"
    if "\n" in written or len(line) > WIDTH:
        yield from (f"# {part}" for part in wrap(f"{comment}:", WIDTH - 2))
        line = written
    yield line
