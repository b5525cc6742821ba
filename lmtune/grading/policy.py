"""How a homework is marked: the instructor's grading file, with its points, deadline and limits."""

from __future__ import annotations

import difflib
import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any

from lmtune.arguments import is_finite
from lmtune.grading.homework import Part
from lmtune.grading.limits import Limits
from lmtune.grading.seed import NONE, weakness

#: What a grading file may hold, with the kind of each value.
SETTINGS = {"homework": str, "seed": str, "points": dict, "late": dict, "limits": dict}
#: What a table ``[late]`` may hold.
LATE = {"deadline": (datetime, str), "grace_minutes": (int, float), "per_day": (int, float), "most": (int, float)}
#: The kinds in words.
KINDS = {
    str: "text in quotes",
    dict: "a table in square brackets",
    (datetime, str): "a date and time such as 2026-11-30T23:59:00Z",
    (int, float): "a number",
}


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

    def refuse_unknown_points(self, ids: Sequence[str], path: Path) -> None:
        """Raise ``ValueError`` where ``[points]`` names a part that no homework has."""
        for name in self.points:
            if name not in ids:
                near = difflib.get_close_matches(name, ids, 1)
                meant = f"did you mean {near[0]!r}?" if near else f"there are: {', '.join(ids)}."
                raise ValueError(f"{path}, [points]: there is no part {name!r}; {meant}")

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
    _strong(given.get("seed", ""), path)
    for name, value in [*given.get("points", {}).items(), *((n, late[n]) for n in late if n != "deadline")]:
        if not is_finite(value) or value < 0:
            raise ValueError(f"{path}: {name} is {value!r}; it must be a number, 0 or more.")
    for name in ("per_day", "most"):
        if late.get(name, 0) > 1:
            raise ValueError(f"{path}: {name} is {late[name]}; it is a share of the points, from 0 to 1.")
    deadline = late.get("deadline")
    if isinstance(deadline, str):
        try:
            deadline = datetime.fromisoformat(deadline.replace("Z", "+00:00"))
        except ValueError:
            raise ValueError(
                f"{path}, [late]: deadline is {deadline!r}; write it as 2026-11-30T23:59:00Z (year-month-day)."
            ) from None
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


def _strong(seed: str, path: Path) -> None:
    """Refuse a grading file without a seed, or with one that students could guess."""
    remedy = "lmtune release makes one that nobody guesses"
    if seed in ("", NONE):
        raise ValueError(f"{path} has no seed of its own; {remedy}.")
    if weakness(seed):
        raise ValueError(f"The seed in {path} is weak: {weakness(seed)}; {remedy}, where the file says {NONE!r}.")


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
    except OSError as error:
        raise ValueError(
            f"The grading file {path} cannot be read ({error.strerror}); lmtune release makes one, or give --settings."
        ) from error


def _known(given: dict, allowed: dict, where: Any) -> None:
    for name, value in given.items():
        if name not in allowed:
            raise ValueError(f"{where} has an entry {name!r}; there are: {', '.join(allowed)}.")
        if not isinstance(value, allowed[name]):
            raise ValueError(f"{where}: {name} is {value!r}; it must be {KINDS[allowed[name]]}.")
