"""What is wrong with a plan: every mistake at once, each with its place and a way out."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import NoneType, UnionType
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic_core import ErrorDetails

from dyadline.errors import PlanError, did_you_mean
from dyadline.plan.analysis import AnalysisPlan
from dyadline.plan.columns import ItemsSection

KeyPath = tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong with a plan.

    Attributes
    ----------
    path
        Key path, such as ``convergence.growth``.
    line
        Line in the plan's text, from 1; None where the plan was no text.
    message
        What was found and what is allowed.
    hint
        ``Did you mean ...?`` or another way out; empty where there is none.
    """

    path: str
    line: int | None
    message: str
    hint: str = ""

    def __str__(self) -> str:
        place = f"line {self.line}, {self.path}" if self.line is not None else self.path
        return f"{place}: {self.message}.{' ' + self.hint if self.hint else ''}"


class PlanMistakes(PlanError):  # noqa: N818 - it is several
    """All mistakes of a plan, in the order of its lines."""

    def __init__(self, mistakes: tuple[Mistake, ...], *, name: str) -> None:
        self.mistakes, self.name = mistakes, name
        super().__init__("; ".join(str(m) for m in mistakes), where=name)

    def __str__(self) -> str:
        if len(self.mistakes) == 1:
            return f"{self.name}, {self.mistakes[0]}"
        listed = "".join(f"\n  {mistake}" for mistake in self.mistakes)
        return f"{self.name} has {len(self.mistakes)} mistakes:{listed}"


def mistakes_of(
    error: ValidationError, content: Mapping[str, Any], lines: Mapping[KeyPath, int]
) -> tuple[Mistake, ...]:
    """Say what pydantic found, one mistake per key.

    Parameters
    ----------
    error
        From the validation of ``content`` as an `AnalysisPlan`.
    content
        The plan's keys and values.
    lines
        Line of each key path; may be empty.
    """
    found: dict[KeyPath, Mistake] = {}
    for detail in error.errors(include_url=False):
        # Below section and key pydantic appends list positions and the members of a union: one mistake each.
        where = tuple(str(part) for part in detail["loc"])
        path, rest = where[:2], where[2:]
        if path[0] == "columns" and rest and isinstance(_value(path, content), Mapping):
            if rest[0] != ItemsSection.__name__:
                continue  # a score from items was meant: say what is wrong in that
            path, rest = (*path, *rest[1:2]), rest[2:]
        elif path == ("report", "decimals"):  # a section within a section
            path, rest = (*path, *rest[:1]), rest[1:]
        if detail["type"] == "other_section":
            path = tuple(detail["ctx"]["path"])  # found by the whole plan, but this key is what is wrong
        if path not in found:
            own = not rest or detail["type"] in ("value_error", "string_too_short")
            kind = detail["type"] if own else "type"
            message, hint = _words(path, kind, detail, content)
            found[path] = Mistake(path=".".join(path), line=line_of(path, lines), message=message, hint=hint)
    return tuple(sorted(found.values(), key=lambda m: (m.line or 0, m.path)))


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Line of the key or, where it is missing, of its section."""
    if not lines:
        return None
    return next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)


_LIMITS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
}


def _words(path: KeyPath, kind: str, detail: ErrorDetails, content: Mapping[str, Any]) -> tuple[str, str]:
    key, said, context = path[-1], detail["msg"], detail.get("ctx", {})
    fields = _fields(path[:-1])
    if kind == "extra_forbidden":
        what = f"there is no section or key {key!r} here" if len(path) == 1 else f"there is no key {key!r} here"
        return what, _nearest_key(path, fields)
    words = (fields[key].description or "").rstrip(".")
    if kind == "missing":
        return f"missing ({words[0].lower()}{words[1:]})", ""
    if kind in ("value_error", "other_section"):
        return said.removeprefix("Value error, ").rstrip("."), ""
    value = _value(path, content)
    annotation = fields[key].annotation
    if (section := section_of(annotation)) and section is not ItemsSection:
        return f"found {written(value)}; this is a section with the keys {', '.join(section.model_fields)}", ""
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        return f"found {written(value)}; it must be {words} {context[limit]:g}", ""
    if kind in ("string_too_short", "too_short"):
        return "it is empty", ""
    known = [c for c in choices(annotation) if isinstance(c, str)]
    if isinstance(value, str) and value in known:  # a list is wanted
        return f"found {written(value)}; write [{written(value)}]", ""
    words_given = value if isinstance(value, list) else [value]
    unknown = [word for word in words_given if isinstance(word, str) and word not in known]
    hint = did_you_mean(unknown[0], known) if unknown else ""
    return f"found {written(value)}; allowed is {allowed(annotation)}", hint


def _value(path: KeyPath, content: Mapping[str, Any]) -> Any:
    value: Any = content
    for part in path:
        value = value.get(part) if isinstance(value, Mapping) else None
    return value


def _fields(section: KeyPath) -> dict[str, Any]:
    model: type[BaseModel] | None = AnalysisPlan
    for name in section:
        model = section_of(model.model_fields[name].annotation) if model else None
    return dict(model.model_fields) if model else {}


def section_of(annotation: Any) -> type[BaseModel] | None:
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return next((m for m in members if isinstance(m, type) and issubclass(m, BaseModel)), None)


def _nearest_key(path: KeyPath, fields: Mapping[str, Any]) -> str:
    key = path[-1]
    for name, field in AnalysisPlan.model_fields.items():
        section = section_of(field.annotation)
        if len(path) == 2 and name == key and section is None:
            return f"{key!r} stands before the first section."
        if section and key in section.model_fields:
            return f"{key!r} belongs in [{name}]."
    return did_you_mean(key, fields) or f"Known here: {', '.join(fields)}."


def choices(annotation: Any) -> tuple[Any, ...]:
    """Every literal value inside a type."""
    if get_origin(annotation) is Literal:
        return get_args(annotation)
    return tuple(c for member in get_args(annotation) for c in choices(member))


def allowed(annotation: Any) -> str:
    """A field's type in words."""
    origin, members = get_origin(annotation), get_args(annotation)
    if origin is Annotated:
        return allowed(members[0])
    if origin is Literal:
        return _or([written(value) for value in members])
    if origin in (Union, UnionType):
        return _or([allowed(member) for member in members if member is not NoneType])
    if origin is tuple and members[-1] is Ellipsis:
        return f"a list in brackets, each {allowed(members[0])}"
    if origin is tuple:
        return "[from, to] with two numbers"
    if origin is dict:
        return "a table { name = value }"
    if annotation is ItemsSection:
        return '{ measure = "...", items = "..." }'
    words = {str: "a text in quotes", float: "a number", int: "a whole number", bool: "true or false"}
    return words[annotation]


def _or(words: list[str]) -> str:
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"


def written(value: Any) -> str:
    """A value as TOML writes it, cut to a readable length."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, Mapping):
        return "a section"
    if isinstance(value, list | tuple):
        return f"[{', '.join(written(v) for v in value[:4])}{', ...' if len(value) > 4 else ''}]"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 60 else f"{text[:57]}..."
