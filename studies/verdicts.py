"""Whether the sentences of a design hold: simultaneous intervals, the replication, and larger budgets."""

from __future__ import annotations

import math
from collections.abc import Mapping

from lmtune.notebook.intervals import PairedInterval, interval_of, paired_differences
from studies.design import Design, Sentence

LEVEL = 0.95
RUNS = ("first", "replication")


def judge(design: Design, found: Mapping[str, Mapping]) -> dict:
    """For each sentence its interval in both runs, its difference at each budget, and whether it holds.

    ``found`` has "first" and "replication", each budget -> arm -> "loss" for each reporting seed. The intervals
    hold together for all sentences of the study (Bonferroni, see ``simultaneous_intervals``).
    """
    judged, base = {}, str(design.budgets[0])
    for sentence in design.sentences:
        each = {}
        for run in RUNS:
            interval = difference(found[run][base], sentence, len(design.sentences))
            each[run] = {**_digits(interval), "holds": borne_out(sentence, interval)}
        means = {steps: _mean(arms, sentence) for steps, arms in found["first"].items()}
        kept = all(same_way(sentence, mean) for mean in means.values())
        judged[sentence.id] = {
            "text": sentence.text,
            **each,
            "difference at budget": {steps: round(mean, 5) for steps, mean in means.items()},
            "same sign at every budget": kept,
            "holds": all(each[run]["holds"] for run in RUNS) and (kept or sentence.at_budget),
        }
    return judged


def difference(arms: Mapping[str, Mapping], sentence: Sentence, together: int) -> PairedInterval | None:
    """``arm`` minus ``than``, an interval that holds with ``together - 1`` others; None where a run diverged."""
    a, b = arms[sentence.arm]["loss"], arms[sentence.than]["loss"]
    if not all(map(math.isfinite, [*a, *b])):
        return None
    return interval_of(paired_differences(a, b), 1 - (1 - LEVEL) / together)


def borne_out(sentence: Sentence, interval: PairedInterval | None) -> bool:
    """Whether an interval bears the sentence out."""
    if interval is None:
        return False
    if sentence.says == "lower":
        return interval.high < -sentence.margin
    if sentence.says == "higher":
        return interval.low > sentence.margin
    return -sentence.margin < interval.low and interval.high < sentence.margin


def same_way(sentence: Sentence, mean: float) -> bool:
    """Whether a mean difference points where the sentence does, or for ``alike`` lies within its margin."""
    return {"lower": mean < 0, "higher": mean > 0, "alike": abs(mean) < sentence.margin}[sentence.says]


def _mean(arms: Mapping[str, Mapping], sentence: Sentence) -> float:
    a, b = arms[sentence.arm]["loss"], arms[sentence.than]["loss"]
    return sum(a) / len(a) - sum(b) / len(b)


def _digits(interval: PairedInterval | None) -> dict:
    if interval is None:
        return {"difference": None, "half width": None}
    return {"difference": round(interval.difference, 5), "half width": round(interval.half_width, 5)}
