"""What was found of each submission, kept in a file, so that nothing is graded twice in the same way."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from dataclasses import asdict
from functools import lru_cache
from importlib import metadata
from pathlib import Path

from lmtune import __version__
from lmtune.exercises.cases import Case
from lmtune.files import write_whole
from lmtune.grading.limits import Limits

#: How a problem begins that says nothing of the submission, because grading it failed; no such record is kept.
FAILED = "not graded: "
#: What an answer may call, and whose version may change what it gives.
PACKAGES = ("torch", "numpy", "transformers", "tokenizers", "datasets", "scikit-learn", "scipy", "optuna", "peft")


def key(handed_in: str, student: str, drawn: dict[str, list[Case]], limits: Limits, edition: str, mode: str) -> str:
    """Changes when anything changes that a record depends on.

    These are the digest of all that was ``handed_in``, the student, the ``drawn`` cases (and with them the
    seed), the limits, the ``edition`` of the homework, the ``mode`` (in the sandbox or not), and the versions
    of Python and of what an answer may call.  Points, deadline and open answers are no part of it.
    """
    text = json.dumps([handed_in, student, drawn, asdict(limits), edition, mode, versions()], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()


@lru_cache(maxsize=1)
def versions() -> dict[str, str]:
    """The versions of Python, of this package and of what an answer may call."""
    found = {"python": platform.python_version(), "lmtune": __version__}
    for name in PACKAGES:
        try:
            found[name] = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
    return found


def kept(path: Path, wanted: str, say: Callable[[str], None]) -> dict | None:
    """The record of an earlier run, when it is of this very submission and way of grading, and None otherwise."""
    if not path.exists():
        return None
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        if not {"id", "digest", "problem", "remarks", "parts", "open", "seconds", "peak_mb"} <= record.keys():
            raise ValueError("it lacks entries")
    except (OSError, ValueError, AttributeError, RecursionError):
        say(f"grade: the record {path} is damaged; this submission is graded again")
        return None
    return record if record["digest"] == wanted else None


def open_answer(path: Path) -> str | None:
    """The open answer of an earlier run, ``""`` where it had none; None where there is no record to be read."""
    try:
        return json.loads(path.read_text(encoding="utf-8"))["open"] or ""
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def keep(path: Path, record: dict) -> None:
    """Write a record, whole."""
    write_whole(path, json.dumps(record, ensure_ascii=True, indent=1))
