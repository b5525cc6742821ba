"""The one reader of recorded results: what a study found, by arm, budget and run.

A record is JSON in ``lmtune/chapters/CHAPTER/recorded/STUDY.json``, written by a study and never by hand. A run
that diverged stands in it as "diverged", and is read as an infinite loss.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from lmtune.arguments import one_of, refuse

ROOMS = "lmtune.chapters"


def recorded(name: str) -> dict:
    """The record of a study by its chapter and name, such as ``"optimization/schedules"``, as it was written.

    ``ValueError`` on an unknown name, with those that there are.
    """
    known = {
        f"{room.name}/{path.name[:-5]}": path
        for room in files(ROOMS).iterdir()
        if (room / "recorded").is_dir()
        for path in (room / "recorded").iterdir()
    }
    refuse(name not in known, "name", name, f"one of {', '.join(sorted(known))}")
    return json.loads(known[name].read_text(encoding="utf-8"))


@dataclass(frozen=True)
class Study:
    """A study that went through the protocol: two runs with seeds of their own, and larger budgets."""

    record: Mapping[str, Any]

    @property
    def design(self) -> Mapping[str, Any]:
        """What was fixed before the first result."""
        return self.record["design"]

    @property
    def arms(self) -> list[str]:
        """The names of the arms, in the design's order."""
        return [arm["name"] for arm in self.design["arms"]]

    @property
    def budgets(self) -> list[int]:
        """Updates of a run: the study's own budget first."""
        return list(self.design["budgets"])

    def found(self, arm: str, steps: int | None = None, run: str = "first") -> Mapping[str, Any]:
        """Best settings, where they stand, what was tried, and a list of figures over the reported seeds.

        ``steps`` is one of the budgets, by default the study's own; ``run`` is "first" or "replication".
        """
        one_of("run", run, ("first", "replication"))
        steps = self.budgets[0] if steps is None else steps
        made = self.record["results"][run]
        one_of("steps", str(steps), made)
        return made[str(steps)][one_of("arm", arm, self.arms)]

    def losses(self, arm: str, steps: int | None = None, run: str = "first", of: str = "loss") -> list[float]:
        """One figure for each reported seed, in the design's unit when it is the loss."""
        found = self.found(arm, steps, run)
        measured = [name for name, values in found.items() if name not in ("best", "stands", "tried")]
        return list(found[one_of("of", of, measured)])

    def best(self, arm: str, steps: int | None = None, run: str = "first") -> dict[str, float]:
        """The settings that were chosen."""
        return dict(self.found(arm, steps, run)["best"])

    def sentence(self, id: str) -> Mapping[str, Any]:
        """A sentence of the design: its "text", whether it "holds", and its interval in both runs."""
        known = self.record["results"]["sentences"]
        return known[one_of("sentence", id, known)]

    def over(self, steps: int | None = None, run: str = "first") -> str:
        """What the reported seeds are, with their number: "10 draws of 48 training windows"."""
        return f"{len(self.losses(self.arms[0], steps, run))} {self.design['over']}"


def studied(name: str) -> Study:
    """A study that went through the protocol, by chapter and name: ``studied("regularization/techniques")``.

    ``ValueError`` on an unknown name, or on a study that did not go through it.
    """
    record = recorded(name)
    refuse("protocol" not in record["results"], "study", name, "a study that went through studies/protocol.py")
    return Study(_with_infinities(record))


def _with_infinities(value: Any) -> Any:
    """The same record with ``inf`` for "diverged"."""
    if isinstance(value, dict):
        return {name: _with_infinities(one) for name, one in value.items()}
    if isinstance(value, list):
        return [_with_infinities(one) for one in value]
    return math.inf if value == "diverged" else value
