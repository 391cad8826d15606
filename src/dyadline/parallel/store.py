"""Finished parts on disk, so that a run can be continued."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from zipfile import BadZipFile

import numpy as np

from dyadline.errors import PlanError
from dyadline.parallel.jobs import Failure
from dyadline.parallel.outcome import Outcome

MANIFEST = "manifest.json"
FORM = 1
"""Of the folder; another one is refused."""

DIGITS = 16
"""Of the checksum in a file's name."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Store:
    """A folder of finished parts; made by `open_store`.

    One ``.npz`` file each (numbers, arrays, failures), named ``TASK-FIRST-CHECKSUM.npz`` and written under another
    name first, so that a file is either whole or recognised as damaged. Within one fingerprint, the number of a
    task must always mean the same.

    Attributes
    ----------
    folder
        Where.
    """

    folder: Path

    def keep(self, outcome: Outcome) -> None:
        """Write what is finished.

        Raises
        ------
        PlanError
            If the system does not let it be written.
        """
        content = _content(outcome)
        first = min([*outcome.numbers, *(failure.number for failure in outcome.failures)])
        _write(self.folder / f"{outcome.task:06d}-{first:09d}-{_checksum(content)}.npz", content)

    def found(self) -> Iterator[Outcome]:
        """All finished parts, by name; damaged files are removed."""
        for path in sorted(self.folder.glob("*-*-*.npz")):
            outcome = _read(path)
            if outcome is None:
                with suppress(OSError):
                    path.unlink()
            else:
                yield outcome


def open_store(folder: Path, fingerprint: str, *, resume: bool = False, force: bool = False) -> Store:
    """Open a folder for the finished parts of a run; it is made if there is none.

    Parameters
    ----------
    folder
        Its folder, of nothing else.
    fingerprint
        What the results depend on (plan, seed, version) in one string; `fingerprint_of` makes one.
    resume
        Continue with the parts that are there. Without any, the run begins from the start.
    force
        Remove the parts that are there, instead of refusing them.

    Raises
    ------
    PlanError
        The parts that are there are of another run, or neither `resume` nor `force` is given, or the system does not
        let the folder be used.
    """
    manifest = folder / MANIFEST
    try:
        folder.mkdir(parents=True, exist_ok=True)
        there = manifest.exists() or any(folder.glob("*-*-*.npz"))
        if there and not resume:
            if not force:
                raise PlanError(
                    f"The folder {folder.name!r} holds finished parts of an earlier run",
                    way_out="Continue it with --resume, use --force to begin anew, or name another folder",
                )
            for path in folder.glob("*-*-*.npz"):
                path.unlink()
        elif there and (known := _fingerprint(manifest)) != fingerprint:
            other = "of another question: plan, seed or version differ" if known else "without a readable manifest"
            raise PlanError(
                f"The folder {folder.name!r} holds finished parts {other}; they cannot be continued",
                way_out="Name another folder, or use --force without --resume to begin anew",
            )
    except OSError as error:
        raise PlanError(f"The folder {folder.name!r} cannot be used: {error.strerror}") from None
    _write(manifest, json.dumps({"form": FORM, "fingerprint": fingerprint}, indent=1).encode())
    return Store(folder=folder)


def discard(folder: Path) -> None:
    """Remove finished parts that are not needed any more, and their folder if nothing else is in it."""
    with suppress(OSError):
        for path in (*folder.glob("*-*-*.npz"), *folder.glob(".*.part"), folder / MANIFEST):
            path.unlink(missing_ok=True)
        folder.rmdir()


def fingerprint_of(facts: Mapping[str, object]) -> str:
    """A short string that differs if any of the facts does.

    Parameters
    ----------
    facts
        Whatever JSON can write: the plan as text, the seed, the version.
    """
    return sha256(json.dumps(facts, sort_keys=True, allow_nan=True).encode()).hexdigest()[:32]


def _fingerprint(manifest: Path) -> str:
    try:
        facts = json.loads(manifest.read_bytes())
    except (OSError, ValueError):
        return ""
    known = facts.get("fingerprint") if isinstance(facts, dict) and facts.get("form") == FORM else ""
    return known if isinstance(known, str) else ""


def _content(outcome: Outcome) -> bytes:
    members = {
        "numbers": np.array(outcome.numbers, dtype=np.int64),
        "failed": np.array([failure.number for failure in outcome.failures], dtype=np.int64),
        "words": np.array([failure.words for failure in outcome.failures], dtype=np.str_),
        **{f"array.{name}": np.asarray(values) for name, values in outcome.arrays.items()},
    }
    buffer = BytesIO()
    np.savez(buffer, **members)  # type: ignore[arg-type]
    return buffer.getvalue()


def _checksum(content: bytes) -> str:
    return sha256(content).hexdigest()[:DIGITS]


def _write(path: Path, content: bytes) -> None:
    unfinished = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        unfinished.write_bytes(content)
        unfinished.replace(path)
    except OSError as error:
        raise PlanError(
            f"A finished part cannot be written into {path.parent.name!r}: {error.strerror}",
            way_out="What was written before is kept; continue with --resume",
        ) from None
    finally:
        with suppress(OSError):
            unfinished.unlink(missing_ok=True)


def _read(path: Path) -> Outcome | None:
    try:
        content = path.read_bytes()
        task, _, checksum = path.stem.split("-")
        if checksum != _checksum(content):
            return None
        with np.load(BytesIO(content), allow_pickle=False) as members:
            failures = zip(members["failed"].tolist(), members["words"].tolist(), strict=True)
            return Outcome(
                task=int(task),
                numbers=tuple(members["numbers"].tolist()),
                arrays={name.removeprefix("array."): members[name] for name in members if name.startswith("array.")},
                failures=tuple(Failure(task=int(task), number=number, words=words) for number, words in failures),
            )
    except (OSError, ValueError, KeyError, EOFError, BadZipFile):
        return None
