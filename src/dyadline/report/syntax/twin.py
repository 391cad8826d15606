"""A fitted model in the names of its data file: what all three programs are told."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from dyadline.engine.criterion import Method
from dyadline.model.columns import Atom, Column
from dyadline.model.fit import Fit
from dyadline.model.source import Block
from dyadline.plan.model import ResidualSpec, Variable
from dyadline.report.syntax.layout import Layout, residual_of
from dyadline.report.syntax.names import Names

Program = Literal["spss", "r", "stata"]

Effect = tuple[str, ...]
"""Variables that are multiplied; ``()`` is the intercept."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Derived:
    """A variable that a script computes.

    Attributes
    ----------
    name, source
        The new variable and the column that it is made of.
    how
        ``log``, ``log1p``, ``sqrt``, ``exp``, or ``level``: 1 where the column has the code, else 0.
    code
        Of the level.
    """

    name: str
    source: str
    how: str
    code: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """Random effects of one grouping.

    Attributes
    ----------
    group
        Variable with the groups' numbers.
    blocks
        Effects that correlate with each other, block by block; empty where only residuals need the group.
    """

    group: str
    blocks: tuple[tuple[Effect, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ResidualTwin:
    """The residuals.

    Attributes
    ----------
    kind
        As in `ResidualSpec`.
    level
        Variable whose codes, from 1, have a variance each; empty if there is one variance.
    occasion
        Variable of the time, or of the occasion that two raters share; empty if none is needed.
    occasions
        Its different values, ascending.
    """

    kind: str = "independent"
    level: str = ""
    occasion: str = ""
    occasions: tuple[float, ...] = ()

    @property
    def consecutive(self) -> bool:
        """Whether the occasions are whole numbers without a gap, so that their order says how far apart they are."""
        return bool((np.diff(self.occasions) == 1.0).all())


@dataclass(frozen=True, slots=True, kw_only=True)
class Twin:
    """The model.

    Attributes
    ----------
    response
        Variable of the outcome, in the file or derived.
    fixed
        Fixed effects in the fit's order.
    grouped
        Random effects by level, innermost first.
    residual
        Residual structure.
    read
        Columns of the file that the model uses: a row with all of them is used.
    derived
        What is computed of them.
    method, df
        ``REML`` or ``ML``; how degrees of freedom are found.
    n_rows
        Rows that the model uses.
    spare
        A name for a running number, if a script needs one.
    """

    response: str
    fixed: tuple[Effect, ...]
    grouped: tuple[Grouped, ...]
    residual: ResidualTwin
    read: tuple[str, ...]
    derived: tuple[Derived, ...]
    method: Method
    df: str
    n_rows: int
    spare: str


def twin(fit: Fit, layout: Layout, *, df: str = "satterthwaite") -> Twin:
    """The model of a fit in the names of a data file."""
    writer = _Writer(layout)
    source = fit.design.source
    residual = _residual(residual_of(fit), layout, fit)
    levels = (source.random, source.above) if source.unit is not None else (source.random,)
    fixed = writer.effects([source.fixed])[0]
    grouped = tuple(
        Grouped(group=layout.names["group", grouping.name], blocks=writer.effects(blocks))
        for grouping, blocks in zip(fit.design.groupings, levels, strict=True)
    )
    response = writer.variable(Atom(source.response[0]))
    read = (*writer.read, *(g.group for g in grouped), residual.level, residual.occasion)
    return Twin(
        response=response,
        fixed=fixed,
        grouped=grouped,
        residual=residual,
        read=tuple(name for name in layout.frame.columns if name in read),
        derived=tuple(writer.derived.values()),
        method=fit.method,
        df=df,
        n_rows=fit.n_rows,
        spare=writer.names.give("number"),
    )


class _Writer:
    """Turns columns of the design into variables, and notes which are read and which must be computed."""

    def __init__(self, layout: Layout) -> None:
        self.layout = layout
        self.names = Names(layout.frame.columns)
        self.read: dict[str, None] = {}
        self.derived: dict[tuple[Variable, str | None], Derived] = {}

    def effects(self, blocks: Sequence[Block]) -> tuple[tuple[Effect, ...], ...]:
        return tuple(tuple(self.effect(column) for column in block.columns) for block in blocks)

    def effect(self, column: Column) -> Effect:
        return tuple(self.variable(atom) for atom in column)

    def variable(self, atom: Atom) -> str:
        variable, level = atom.variable, atom.level
        name = self.layout.names["column", variable.column]
        self.read.setdefault(name)
        if level is None and not variable.transform:
            return name
        if (variable, level) not in self.derived:
            code = 0 if level is None else self.layout.levels[variable.column].index(level)
            new = self.names.give(f"{variable.transform}_{name}" if level is None else f"{name}_{level}")
            self.derived[variable, level] = Derived(
                name=new, source=name, how=variable.transform or "level", code=code
            )  # fmt: skip
        return self.derived[variable, level].name


def _residual(spec: ResidualSpec, layout: Layout, fit: Fit) -> ResidualTwin:
    if spec.kind in ("independent", "cs"):
        return ResidualTwin(kind=spec.kind)
    used = [layout.names.get(("residual", c)) or layout.names["column", c] for c in spec.columns]
    if spec.kind == "by":
        return ResidualTwin(kind="by", level=used[0])
    level, occasion = ("", used[0]) if len(used) == 1 else (used[0], used[1])
    values = layout.frame[occasion].drop_nulls().unique().sort().to_list()
    return ResidualTwin(kind=spec.kind, level=level, occasion=occasion, occasions=tuple(map(float, values)))
