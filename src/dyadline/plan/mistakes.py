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
from dyadline.plan.columns import ItemsSection, Number

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
    error: ValidationError,
    content: Mapping[str, Any],
    lines: Mapping[KeyPath, int],
    root: type[BaseModel] = AnalysisPlan,
) -> tuple[Mistake, ...]:
    """Say what pydantic found, one mistake per key.

    Parameters
    ----------
    error
        From the validation of ``content`` as a `root`.
    content
        The document's keys and values.
    lines
        Line of each key path; may be empty.
    root
        What the document is.
    """
    found: dict[KeyPath, Mistake] = {}

    def say(path: KeyPath, message: str, hint: str = "") -> None:
        if path not in found:
            found[path] = Mistake(path=".".join(path), line=line_of(path, lines), message=message, hint=hint)

    for detail in error.errors(include_url=False):
        if detail["type"] == "contradictions":
            for path, message in detail["ctx"]["found"]:
                say(path, message)
            continue
        split = _split(tuple(str(part) for part in detail["loc"]), content, root)
        if split is None:
            continue  # a section was meant: say what is wrong in that
        path, rest = split
        if detail["type"] == "other_section":
            path = tuple(detail["ctx"]["path"])  # found by the whole plan, but this key is what is wrong
        own = not rest or detail["type"] in ("value_error", "string_too_short")
        say(path, *_words(path, detail["type"] if own else "type", detail, content, root))
    return tuple(sorted(found.values(), key=lambda m: (m.line or 0, m.path)))


def _split(where: KeyPath, content: Mapping[str, Any], root: type[BaseModel]) -> tuple[KeyPath, KeyPath] | None:
    """Key path, and what pydantic appends to it: list positions and the members of a union.

    None where what is said concerns a member of a union other than the section that was written.
    """
    model, depth = root, 0
    while depth < len(where):
        if where[depth] not in model.model_fields:
            return where[: depth + 1], where[depth + 1 :]
        annotation = model.model_fields[where[depth]].annotation
        depth += 1
        if (named := _named_sections(annotation)) and depth < len(where):
            annotation, depth = named, depth + 1
        section = section_of(annotation)
        if section is None or depth == len(where) or not isinstance(_value(where[:depth], content), Mapping):
            break
        if _of_several_kinds(annotation):
            if where[depth] != section.__name__:
                return None
            where = where[:depth] + where[depth + 1 :]
        model = section
    return where[:depth], where[depth:]


def line_of(path: KeyPath, lines: Mapping[KeyPath, int]) -> int | None:
    """Line of the key or, where it is missing, of its section."""
    if not lines:
        return None
    return next((lines[path[:n]] for n in range(len(path), 0, -1) if path[:n] in lines), 1)


_LIMITS = {
    "greater_than": ("greater than", "gt"),
    "greater_than_equal": ("at least", "ge"),
    "less_than_equal": ("at most", "le"),
    "less_than": ("less than", "lt"),
}


def _words(
    path: KeyPath, kind: str, detail: ErrorDetails, content: Mapping[str, Any], root: type[BaseModel]
) -> tuple[str, str]:
    key, said, context = path[-1], detail["msg"], detail.get("ctx", {})
    fields = _fields(path[:-1], root)
    if kind == "extra_forbidden":
        what = f"there is no section or key {key!r} here" if len(path) == 1 else f"there is no key {key!r} here"
        return what, _nearest_key(path, fields, root)
    words = (fields[key].description or "").rstrip(".")
    if kind == "missing":
        return f"missing ({words[0].lower()}{words[1:]})", ""
    if kind in ("value_error", "other_section"):
        return said.removeprefix("Value error, ").rstrip("."), ""
    value = _value(path, content)
    annotation = fields[key].annotation
    if (section := section_of(annotation)) and section is not ItemsSection and not _of_several_kinds(annotation):
        return f"found {written(value)}; this is a section with the keys {', '.join(section.model_fields)}", ""
    if kind in _LIMITS:
        words, limit = _LIMITS[kind]
        return f"found {written(value)}; it must be {words} {context[limit]:g}", ""
    if kind in ("string_too_short", "too_short"):
        least = context.get("min_length", 1)
        return ("it is empty" if least < 2 or not value else f"found {written(value)}; it needs at least {least}"), ""
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


def _fields(section: KeyPath, root: type[BaseModel]) -> dict[str, Any]:
    model: type[BaseModel] | None = root
    names = list(section)
    while names and model:
        annotation = model.model_fields[names.pop(0)].annotation
        if (named := _named_sections(annotation)) and names:
            annotation = named
            names.pop(0)
        model = section_of(annotation)
    return dict(model.model_fields) if model else {}


def _named_sections(annotation: Any) -> type[BaseModel] | None:
    """What a table of sections under names of the user's choice holds."""
    members = get_args(annotation)
    return section_of(members[1]) if get_origin(annotation) is dict else None


def section_of(annotation: Any) -> type[BaseModel] | None:
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    return next((m for m in members if isinstance(m, type) and issubclass(m, BaseModel)), None)


def _of_several_kinds(annotation: Any) -> bool:
    """Whether this is a union: then pydantic names the member that it tried."""
    members = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else ()
    return sum(member is not NoneType for member in members) > 1


def _nearest_key(path: KeyPath, fields: Mapping[str, Any], root: type[BaseModel]) -> str:
    key = path[-1]
    if len(path) > 1 and key in root.model_fields and section_of(root.model_fields[key].annotation) is None:
        return f"{key!r} stands before the first section."
    if places := [".".join(section) for section in _holding(key, root, ())]:
        return f"{key!r} belongs in {_or([f'[{place}]' for place in places])}."
    return did_you_mean(key, fields) or f"Known here: {', '.join(fields)}."


def _holding(key: str, model: type[BaseModel], path: KeyPath) -> list[KeyPath]:
    """Sections that have such a key."""
    found = []
    for name, field in model.model_fields.items():
        section = section_of(field.annotation)
        if section is not None and section is not ItemsSection:
            found += [(*path, name)] if key in section.model_fields else []
            found += _holding(key, section, (*path, name))
    return found


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
    if origin is tuple and members == (Number, Number):
        return "[from, to] with two numbers"
    if origin is tuple:
        return f"[first, second], each {allowed(members[0])}"
    if origin is dict:
        return "a table { name = value }"
    if annotation is ItemsSection:
        return '{ measure = "...", items = "..." }'
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return f"a section with the keys {', '.join(annotation.model_fields)}"
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
