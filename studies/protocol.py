"""How every study is made that a page may cite: tuned arms, choosing apart from reporting, replication, budgets.

:func:`conduct` takes a :class:`studies.design.Design`, a function that makes one run, and the texts. It

1. fixes the design: its digest and the time are written down before the first run;
2. tunes every arm, the baseline too, on the choosing seeds and text (:mod:`studies.tuning`);
3. reports the best of each arm on other seeds and other text;
4. does 2 and 3 again with fresh seeds, the replication;
5. does 2 and 3 again at two and four times the budget, for the sign of each difference;
6. judges each sentence of the design (:mod:`studies.verdicts`), and writes the record.

It goes on where it was stopped, as long as design and code are the same. :mod:`studies.soundness` says whether
a record may be cited.
"""

from __future__ import annotations

import hashlib
import inspect
import json
from collections.abc import Callable, Hashable, Mapping, Sequence
from datetime import datetime, timezone
from pathlib import Path

from studies import record, verdicts
from studies.design import Design, Seeds
from studies.runs import Job, Journal, Run, Runner, pool
from studies.tuning import Search, Settings, Tuned, search

ROOT = Path(__file__).resolve().parents[1]
#: What is kept between two starts; not part of the repository.
KEPT = ROOT / "_build" / "studies"
VERSION = 1
TRAINING, CHOOSING, REPORTING = "training", "choosing", "reporting"
Texts = Mapping[str, Sequence[Hashable]]


def conduct(design: Design, run: Run, texts: Callable[[], Texts], more: Sequence[Callable] = (), processes=None):
    """Make the study, or what is missing of it, and write its record; returns the path.

    Args:
        run: trains for one :class:`studies.runs.Job` and reads the loss on ``job.part``; a function of a module.
        texts: gives the "training", "choosing" and "reporting" texts, so that what they share can be counted.
        more: further functions that ``run`` calls; their code, and that of ``run``'s module, is in the digest.
        processes: as many as there are processors; 0 makes all runs in this process.
    """
    digest, fixed, journal, others = fix(design, run, more)
    found: dict[str, dict] = {}
    with pool(processes) as workers:
        runner = Runner(run, journal, workers)
        for name, seeds in (("first", design.first), ("replication", design.replication)):
            found[name] = {str(design.budgets[0]): measured(design, runner, seeds, design.budgets[0], name)}
        start = found["first"][str(design.budgets[0])]
        for steps in design.budgets[1:]:
            start = measured(design, runner, design.larger, steps, "first", start)
            found["first"][str(steps)] = start
    made = {
        "protocol": VERSION,
        "digest": digest,
        "fixed": fixed,
        "first result": journal.began,
        "other designs with results": others,
        "texts": shared(texts()),
        "sentences": verdicts.judge(design, found),
        **found,
    }
    return record.write(design.study, design.described(), made, journal.seconds, compact=True)


def fix(design: Design, run: Run, more: Sequence[Callable]) -> tuple[str, str, Journal, int]:
    """Digest, time of fixing, and journal of the design; and how many other designs of this study have results here."""
    code = inspect.getsource(inspect.getmodule(run)) + "".join(map(inspect.getsource, more))
    digest = design.digest(code)
    folder = KEPT / design.study
    folder.mkdir(parents=True, exist_ok=True)
    note, journal = folder / f"{digest[:16]}.design.json", folder / f"{digest[:16]}.jsonl"
    if not note.exists():
        if journal.exists():
            raise RuntimeError(f"{journal} has results and {note.name} is gone; remove both and start again")
        now = datetime.now(timezone.utc).isoformat(timespec="seconds")
        note.write_text(json.dumps({"fixed": now, **design.described()}, indent=1) + "\n", encoding="utf-8")
    others = sum(path != journal for path in folder.glob("*.jsonl"))
    return digest, json.loads(note.read_text(encoding="utf-8"))["fixed"], Journal(journal), others


def measured(design: Design, runner: Runner, seeds: Seeds, steps: int, name: str, start: dict | None = None) -> dict:
    """Each arm tuned and reported at one budget: arm -> best, stands, tried, and a result for each reporting seed."""
    searches = {arm.name: search(arm, start[arm.name]["best"] if start else None) for arm in design.arms}
    tuned = together(design, runner, searches, seeds.choosing, steps, f"{name}, {steps} updates, tuning")
    jobs = [
        Job(arm.name, {**arm.fixed, **tuned[arm.name].best}, seed, steps, REPORTING)
        for arm in design.arms
        for seed in seeds.reporting
    ]
    results = iter(runner.losses(jobs, f"{name}, {steps} updates, reporting"))
    return {arm.name: described(tuned[arm.name], [next(results) for _ in seeds.reporting]) for arm in design.arms}


def together(design: Design, runner: Runner, searches: Mapping[str, Search], seeds, steps: int, what: str):
    """The outcome of each search; what all of them wait for is made in one go."""
    wanted: dict[str, list[Settings]] = {name: next(one) for name, one in searches.items()}
    ended: dict[str, Tuned] = {}
    while wanted:
        jobs = [
            Job(name, {**design.arm(name).fixed, **settings}, seed, steps, CHOOSING)
            for name, asked in wanted.items()
            for settings in asked
            for seed in seeds
        ]
        losses = iter(found["loss"] for found in runner.losses(jobs, what))
        for name, asked in list(wanted.items()):
            answers = [[rounded(next(losses)) for _ in seeds] for _ in asked]
            try:
                wanted[name] = searches[name].send(answers)
            except StopIteration as stop:
                ended[name] = stop.value
                del wanted[name]
    return ended


def described(tuned: Tuned, results: list[dict]) -> dict:
    """One arm at one budget, as the record holds it; figures to six digits."""
    names = [name for name in results[0] if name not in ("job", "at", "seconds")]
    return {
        "best": tuned.best,
        "stands": tuned.stands,
        "tried": [{**settings, "losses": losses} for settings, losses in tuned.tried],
        **{name: [rounded(result[name]) for result in results] for name in names},
    }


def rounded(value: float) -> float:
    """Six significant digits, as no processor agrees with another on more."""
    return float(f"{value:.6g}")


def shared(texts: Texts) -> dict:
    """How many texts each part has, a digest of them, and how many two parts share."""
    parts = {name: [repr(one) for one in texts[name]] for name in (TRAINING, CHOOSING, REPORTING)}
    counted = {
        name: {"count": len(part), "digest": hashlib.sha256("\n".join(part).encode()).hexdigest()[:16]}
        for name, part in parts.items()
    }
    names = list(parts)
    pairs = [(a, b) for i, a in enumerate(names) for b in names[i + 1 :]]
    return {**counted, "shared": {f"{a} and {b}": len(set(parts[a]) & set(parts[b])) for a, b in pairs}}
