"""What a study asks, fixed before its first result: arms, lists, seeds, budgets, and the sentences it may say.

A study that follows :mod:`studies.protocol` is described by one :class:`Design`. Its digest stands in the
record beside the time at which it was fixed, so a margin or a sentence cannot follow from the results.
"""

from __future__ import annotations

import dataclasses
import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from lmtune.arguments import refuse

SAYS = ("lower", "higher", "alike")
#: Never fewer seeds than this for what is reported.
LEAST_SEEDS = 5


@dataclass(frozen=True)
class Arm:
    """One side of a comparison, with the lists on which its settings are tuned.

    Each list has three values or more of equal ratio, and is extended until the best lies inside. An arm
    without lists is taken as it is, and ``as_is`` says why: "what the library does by default".
    """

    name: str
    tuned: Mapping[str, Sequence[float]] = field(default_factory=dict)
    """Setting -> the values tried first, such as ``{"lr": (2.5e-4, 5e-4, 1e-3)}``."""
    nothing: Mapping[str, float] = field(default_factory=dict)
    """Setting -> the value at which the arm does nothing, such as ``{"strength": 0.0}``; it is tried too."""
    bounds: Mapping[str, tuple[float, float, str]] = field(default_factory=dict)
    """Setting -> least and largest value that makes sense, and why there is no value beyond."""
    fixed: Mapping[str, float | str] = field(default_factory=dict)
    """Settings that are not tuned."""
    as_is: str = ""

    def __post_init__(self) -> None:
        refuse(not self.tuned and not self.as_is, f"arm {self.name!r}: tuned", self.tuned, "a list for each setting, "
               "or empty with a reason in as_is")  # fmt: skip
        for setting, values in self.tuned.items():
            _refuse_uneven(f"arm {self.name!r}: {setting}", values)
        for setting in [*self.nothing, *self.bounds]:
            refuse(setting not in self.tuned, f"arm {self.name!r}: setting", setting, f"one of {list(self.tuned)}")


@dataclass(frozen=True)
class Sentence:
    """What the study may say if the results bear it: ``arm`` is lower (higher, alike) than ``than``, by ``margin``.

    ``alike`` means that the whole interval lies within plus and minus ``margin``. With ``at_budget`` the
    sentence names its budget, and need not hold at a larger one.
    """

    id: str
    text: str
    arm: str
    than: str
    says: str = "lower"
    margin: float = 0.0
    at_budget: bool = False

    def __post_init__(self) -> None:
        refuse(self.says not in SAYS, f"sentence {self.id!r}: says", self.says, f"one of {', '.join(SAYS)}")
        allowed = self.margin > 0 if self.says == "alike" else self.margin >= 0
        refuse(not (allowed and math.isfinite(self.margin)), f"sentence {self.id!r}: margin", self.margin,
               "a finite number, 0 or more, and above 0 for 'alike'")  # fmt: skip


@dataclass(frozen=True)
class Seeds:
    """The seeds that choose settings, and others that are reported."""

    choosing: Sequence[int]
    reporting: Sequence[int]

    def __post_init__(self) -> None:
        for name in ("choosing", "reporting"):
            object.__setattr__(self, name, tuple(getattr(self, name)))  # a range is welcome
        both = set(self.choosing) & set(self.reporting)
        refuse(bool(both), "seeds that choose and report", sorted(both), "none in both")
        for name in ("choosing", "reporting"):
            seeds = getattr(self, name)
            refuse(len(set(seeds)) != len(seeds) or not seeds, f"{name} seeds", seeds, "one or more, each once")
        refuse(len(self.reporting) < LEAST_SEEDS, "reporting seeds", self.reporting, f"{LEAST_SEEDS} or more")


@dataclass(frozen=True)
class Design:
    """A study before its results."""

    study: str
    """Chapter and study, such as ``"regularization/techniques"``."""
    question: str
    arms: Sequence[Arm]
    baseline: str
    sentences: Sequence[Sentence]
    unit: str
    """Of the loss: "nats a token", "share of wrong labels"."""
    over: str
    """What one seed draws, so what a sentence generalises over: "draws of 48 training windows"."""
    budgets: Sequence[int]
    """Updates of a run: the study's own, and two and four times that, where the sign is looked at again."""
    first: Seeds
    replication: Seeds
    field: Mapping[str, object]
    """What else makes the setting: model, data, batch size, schedule."""

    def __post_init__(self) -> None:
        names = [arm.name for arm in self.arms]
        refuse(len(set(names)) != len(names), "arms", names, "names that differ")
        refuse(self.baseline not in names, "baseline", self.baseline, f"one of {', '.join(names)}")
        ids = [sentence.id for sentence in self.sentences]
        refuse(len(set(ids)) != len(ids), "sentences", ids, "ids that differ")
        for sentence in self.sentences:
            for name in (sentence.arm, sentence.than):
                refuse(name not in names, f"sentence {sentence.id!r}: arm", name, f"one of {', '.join(names)}")
            named = not sentence.at_budget or str(self.budgets[0]) in sentence.text
            refuse(
                not named, f"sentence {sentence.id!r}: text", sentence.text, f"one that names {self.budgets[0]} updates"
            )
        again = _all(self.first) & _all(self.replication)
        refuse(bool(again), "seeds of the replication", sorted(again), "seeds that the first run did not use")
        expected = [self.budgets[0] * factor for factor in (1, 2, 4)] if self.budgets else []
        refuse(list(self.budgets) != expected or not expected, "budgets", self.budgets,
               "the study's budget, twice and four times that")  # fmt: skip

    def arm(self, name: str) -> Arm:
        """The arm of that name."""
        return next(arm for arm in self.arms if arm.name == name)

    @property
    def larger(self) -> Seeds:
        """The seeds at the larger budgets, where the sign alone is asked for: two that choose, five reported."""
        return Seeds(tuple(self.first.choosing[:2]), tuple(self.first.reporting[:LEAST_SEEDS]))

    @classmethod
    def of(cls, described: Mapping) -> Design:
        """The design of a record, whose JSON was read."""
        parts = {**described, "first": Seeds(**described["first"]), "replication": Seeds(**described["replication"])}
        parts["arms"] = [Arm(**arm) for arm in described["arms"]]
        parts["sentences"] = [Sentence(**sentence) for sentence in described["sentences"]]
        return cls(**parts)

    def described(self) -> dict:
        """Everything above, as JSON can hold it."""
        return json.loads(json.dumps(dataclasses.asdict(self)))

    def digest(self, code: str) -> str:
        """SHA-256 of the design and of the ``code`` that makes its runs, as hexadecimal digits."""
        return hashlib.sha256(json.dumps([self.described(), code], sort_keys=True).encode()).hexdigest()


def _all(seeds: Seeds) -> set[int]:
    return {*seeds.choosing, *seeds.reporting}


def _refuse_uneven(name: str, values: Sequence[float]) -> None:
    """A list that is tuned on has three values or more, rises, and has one ratio."""
    allowed = "three values or more above 0, each the same factor above the one before"
    refuse(len(values) < 3 or any(not 0 < v < math.inf for v in values), name, values, allowed)
    ratios = [b / a for a, b in zip(values, values[1:])]
    refuse(min(ratios) <= 1 or max(ratios) / min(ratios) > 1.02, name, values, allowed)
