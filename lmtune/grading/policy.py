"""How a homework is marked: the instructor's grading file, with its points, deadline and limits."""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from lmtune.arguments import is_finite
from lmtune.grading.homework import Part
from lmtune.grading.sandbox import Limits

#: What a grading file may hold, with the kind of each value.
SETTINGS = {"homework": str, "seed": str, "points": dict, "late": dict, "limits": dict}


LATE = {"deadline": (datetime, str), "grace_minutes": (int, float), "per_day": (int, float), "most": (int, float)}


@dataclass(frozen=True)
class Policy:
    """Points and lateness, from the grading file."""

    homework: str = ""
    seed: str = ""
    points: dict[str, float] = field(default_factory=dict)
    deadline: datetime | None = None
    grace_minutes: float = 0
    per_day: float = 0.1
    most: float = 0.5
    limits: Limits = Limits()

    def worth(self, part: Part) -> float:
        """The points of one part."""
        return float(self.points.get(part.id, part.points))

    def late(self, submitted: datetime | None) -> float:
        """The share of the points that lateness takes, from 0 to ``most``: ``per_day`` for each day begun."""
        if self.deadline is None or submitted is None:
            return 0.0
        over = submitted - self.deadline - timedelta(minutes=self.grace_minutes)
        return 0.0 if over <= timedelta(0) else min(self.most, self.per_day * math.ceil(over / timedelta(days=1)))


def policy(path: Path) -> Policy:
    """Read a grading file (TOML).

    Raises ``ValueError`` that names the entry and what is allowed; reading TOML needs
    Python 3.11, or the package ``tomli`` before it.
    """
    given = _toml(path)
    _known(given, SETTINGS, path)
    late = given.get("late", {})
    _known(late, LATE, f"{path}, [late]")
    if not given.get("seed") or given["seed"] == "change-me":
        raise ValueError(f"{path} has no seed of its own; set seed to any text that your students do not know.")
    for name, value in [*given.get("points", {}).items(), *((n, late[n]) for n in late if n != "deadline")]:
        if not is_finite(value) or value < 0:
            raise ValueError(f"{path}: {name} is {value!r}; it must be a number, 0 or more.")
    for name in ("per_day", "most"):
        if late.get(name, 0) > 1:
            raise ValueError(f"{path}: {name} is {late[name]}; it is a share of the points, from 0 to 1.")
    deadline = late.get("deadline")
    if isinstance(deadline, str):
        deadline = datetime.fromisoformat(deadline.replace("Z", "+00:00"))
    if deadline is not None and deadline.tzinfo is None:
        deadline = deadline.replace(tzinfo=timezone.utc)
    try:
        limits = Limits(**given.get("limits", {}))
    except TypeError as error:
        raise ValueError(f"{path}, [limits]: {error}; there are: {', '.join(asdict(Limits()))}.") from error
    return Policy(
        given.get("homework", ""),
        given["seed"],
        given.get("points", {}),
        limits=limits,
        **{**late, "deadline": deadline},
    )


def _toml(path: Path) -> dict:
    try:
        import tomllib
    except ImportError:  # before Python 3.11
        try:
            import tomli as tomllib
        except ImportError:
            raise ValueError("Reading a grading file needs Python 3.11 or newer, or: pip install tomli") from None
    try:
        return tomllib.loads(Path(path).read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ValueError(f"{path} is no TOML: {error}") from error


def _known(given: dict, allowed: dict, where: Any) -> None:
    for name, value in given.items():
        if name not in allowed:
            raise ValueError(f"{where} has an entry {name!r}; there are: {', '.join(allowed)}.")
        if not isinstance(value, allowed[name]):
            raise ValueError(f"{where}: {name} is {value!r}, which is of the wrong kind.")
