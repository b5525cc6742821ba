"""Whether a record may be cited: what a careful reader would object to, each in one sentence.

What the record says of itself (where a best stands, whether a sentence holds) is computed again from its lists and
losses, so a record that was changed by hand is noticed too.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from lmtune.chapters import Study
from studies import tuning, verdicts
from studies.design import Arm, Design
from studies.protocol import VERSION


def objections(study: Study) -> list[str]:
    """What speaks against citing this study; empty when nothing does."""
    results = study.record["results"]
    if results.get("protocol") != VERSION:
        return [f"it was not made by version {VERSION} of the protocol: make the study again with studies.protocol"]
    try:
        design = Design.of(study.design)
    except ValueError as refused:  # shared seeds, too few of them, an uneven list, budgets not doubled
        return [str(refused)]
    said = [
        *_of_time(results),
        *[f"{pair} share {n} of their texts" for pair, n in results["texts"]["shared"].items() if n],
    ]
    for run, steps in _wanted(design):
        said += _of_arms(
            design, results[run].get(str(steps), {}), f"{run}, {steps} updates", _seeds(design, run, steps)
        )
    if not said and verdicts.judge(design, results) != results["sentences"]:
        said = ["its verdicts are not those that its losses give"]
    return said


def false_sentences(study: Study, cited: Sequence[str]) -> list[str]:
    """Of the sentences that a page cites, those that it may not say, each with the reason."""
    said, known = [], study.record["results"]["sentences"]
    for one in cited:
        if one not in known:
            said.append(f"{one!r} was not in the design; it has: {', '.join(known)}")
            continue
        found = known[one]
        fails = [run for run in verdicts.RUNS if not found[run]["holds"]]
        if fails:
            said.append(f"{one!r} does not hold in the {' and the '.join(fails)}: {found['text']}")
        elif not found["holds"]:
            said.append(f"{one!r} turns at a larger budget, and does not name its own: {found['text']}")
    return said


def _of_time(results: Mapping) -> list[str]:
    if results["first result"] and results["fixed"] <= results["first result"]:
        return []
    return [f"the design was fixed at {results['fixed']}, after the first result at {results['first result']!r}"]


def _wanted(design: Design) -> list[tuple[str, int]]:
    """The runs and budgets that there must be."""
    return [("first", steps) for steps in design.budgets] + [("replication", design.budgets[0])]


def _seeds(design: Design, run: str, steps: int) -> int:
    """How many seeds are reported there."""
    seeds = getattr(design, run) if steps == design.budgets[0] else design.larger
    return len(seeds.reporting)


def _of_arms(design: Design, arms: Mapping, where: str, seeds: int) -> list[str]:
    said = []
    for arm in design.arms:
        if arm.name not in arms:
            said.append(f"{where}: {arm.name!r} has no result")
            continue
        found = arms[arm.name]
        if len(found["loss"]) != seeds:
            said.append(f"{where}: {arm.name!r} has {len(found['loss'])} losses for {seeds} reporting seeds")
        said += [f"{where}: {arm.name!r} {wrong}" for wrong in _of_tuning(arm, found)]
    return said


def _of_tuning(arm: Arm, found: Mapping) -> list[str]:
    """What is wrong with how an arm was tuned."""
    best, tried = found["best"], found["tried"]
    if set(best) != set(arm.tuned):
        return [f"has a best {', '.join(best) or 'of nothing'}, and tunes {', '.join(arm.tuned) or 'nothing'}"]
    said = []
    for setting in arm.tuned:
        others = [other for other in arm.tuned if other != setting]
        along = {one[setting]: one["losses"] for one in tried if all(one[other] == best[other] for other in others)}
        if tuning.best_of(along) != best[setting]:
            said.append(f"was reported at {setting} = {best[setting]:g}, and {tuning.best_of(along):g} was better")
        elif tuning.stands(arm, setting, along) == tuning.EDGE:
            said.append(f"is best, or does not yet harm, at the edge of what was tried: {setting} of {sorted(along)}")
    return said
