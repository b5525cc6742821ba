"""What a recorded study found, drawn: a sentence of its design, in both of its runs."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

import numpy as np

from lmtune import plots
from lmtune.chapters import Study
from lmtune.notebook import dot_plot
from lmtune.notebook.claims import ClaimFailed
from lmtune.notebook.intervals import PairedInterval, decimals, paired_differences

#: The two runs of a study, and what a page calls them.
RUNS = {"first": "first seeds", "replication": "fresh seeds"}


def finding(study: Study, sentence: str) -> None:
    """Draw a sentence that a study may say: one row for its first seeds, one for the fresh seeds of its replication.

    The intervals hold for all sentences of the study together (Bonferroni, at the level of the record).

    Args:
        study: from :func:`lmtune.chapters.studied`.
        sentence: the id of a sentence of its design.

    Raises:
        ClaimFailed: the sentence does not hold in both runs, or turns at a larger budget without naming its own.
        ValueError: the design has no such sentence.
    """
    found = study.sentence(sentence)
    asked = next(one for one in study.design["sentences"] if one["id"] == sentence)
    rows = {run: _row(study, asked, run, found[run]) for run in RUNS}
    line = f"{found['text']} ({'; '.join(_figures(rows[run][1], study, run) for run in RUNS)})"
    if not found["holds"]:
        raise ClaimFailed(f"finding fails: {line}; difference at each budget: {found['difference at budget']}")
    plots.publish(_picture(study, found["text"], asked, rows), f"claim holds: {line}")


def _row(study: Study, asked: Mapping[str, Any], run: str, judged: Mapping[str, Any]):
    """The differences of one run, shape (seeds,), and their interval as the record has it."""
    losses = [study.losses(asked[side], run=run) for side in ("arm", "than")]
    if not all(math.isfinite(loss) for one in losses for loss in one):
        return np.zeros(0), None
    interval = PairedInterval(judged["difference"], judged["half width"], len(losses[0]))
    return paired_differences(*losses), interval


def _figures(interval: PairedInterval | None, study: Study, run: str) -> str:
    if interval is None:
        return f"a run of the {RUNS[run]} diverged"
    places = decimals(interval.difference, interval.half_width)
    return (
        f"difference {interval.difference:+.{places}f} {study.design['unit']} ± {interval.half_width:.{places}f} "
        f"over {study.over(run=run)}, {RUNS[run]}"
    )


def _picture(study: Study, text: str, asked: Mapping[str, Any], rows: Mapping[str, tuple]) -> str:
    margins = {"lower": [-asked["margin"]], "higher": [asked["margin"]], "alike": [-asked["margin"], asked["margin"]]}
    shown = [value for d, i in rows.values() for value in (*d, i.low, i.high)]
    axis, parts = dot_plot.axis_of([*shown, *margins[asked["says"]]]), []
    for run, (d, interval) in rows.items():
        places = decimals(interval.difference, interval.half_width)
        mean, low, high = (dot_plot.signed(v, places) for v in (interval.difference, interval.low, interval.high))
        alt = f"{RUNS[run]}: {len(d)} dots, mean {mean}, interval from {low} to {high} {study.design['unit']}"
        row = dot_plot.Row(d.tolist(), interval.difference, interval.low, interval.high)
        parts += [
            f'<div class="name">{RUNS[run]}</div>',
            dot_plot.strip(row, axis, alt, margins[asked["says"]][0] if asked["margin"] else None),
            f'<div class="figures">{mean} ± {interval.half_width:.{places}f}</div>',
        ]
    title = f"{asked['arm']} minus {asked['than']}, {study.design['unit']}"
    body = f'<div class="lmtune-rows">{"".join(parts)}{dot_plot.scale(axis, title)}</div>'
    return dot_plot.framed(body, _caption(study, asked), text)


def _caption(study: Study, asked: Mapping[str, Any]) -> str:
    dashed = f" Dashed: the {asked['margin']:g} asked." if asked["margin"] else ""
    return (
        f"Dots: {study.over()}, paired; below, as many again. Bars: intervals that hold for all {len(study.design['sentences'])} "
        f"sentences of the study.{dashed} {study.budgets[0]} updates; every arm was tuned on other seeds and other text."
    )
