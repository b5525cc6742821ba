"""Hold the formulas of the page "Formulas to try", which a browser computes, against lmtune."""

import math

from lmtune import Config
from lmtune.notebook.claims import paired_interval
from lmtune.optim.schedules import SCHEDULES, Cyclic
from lmtune.training.evaluation import Evaluation

PAGE = "reference/formulas.html"
SHAPES = {**SCHEDULES, "triangular": Cyclic(7)}
PAIRS = [
    ([3.1, 3.3], [3.4, 3.2]),
    ([1, 2, 3, 4, 5.5], [1.5, 2.25, 3, 4.5, 6]),
    ([x / 7 for x in range(31)], [math.sin(x) for x in range(31)]),
]


def read(page, formula, **given):
    """What the page shows once the controls of a formula are filled in."""
    root = page.locator(f"[data-formula={formula}]")
    for name, value in given.items():
        control = root.locator(f"[name={name}]")
        if name == "shape":
            control.select_option(value)
        elif control.is_visible():
            control.fill(str(value))
    shown = {out.get_attribute("data-out"): out.inner_text() for out in root.locator("[data-out]").all()}
    return shown, root.locator("[data-problem]").inner_text()


def near(shown, expected, digits=3):
    """Whether a number on the page is the expected one, to the digits that it has."""
    return math.isclose(float(shown), expected, rel_tol=10**-digits, abs_tol=1e-12)


def differences(page):
    """A line for each figure on an open page that is not lmtune's, and for each wrong input that is not refused."""
    found = []
    for loss, characters in ((2.5, 3.2), (0.0, 1.0), (8.318, 4.0)):
        shown, _ = read(page, "units", loss=loss, characters=characters)
        known = Evaluation(loss, labels=1000, characters=round(1000 * characters))
        expected = {
            "perplexity": known.perplexity,
            "bits": known.bits_per_character * characters,
            "bpc": known.bits_per_character,
        }
        found += [
            f"units: {name} of {loss} is shown as {shown[name]}"
            for name in expected
            if not near(shown[name], expected[name])
        ]
    for name, shape in SHAPES.items():
        for total, warmup in ((40, 10), (9, 0)):
            config = Config(lr=0.5, schedule=shape, warmup=warmup)
            rates = [config.rate(step, total) for step in range(total)]
            for at in (1, 8, total):
                shown, _ = read(page, "schedule", shape=name, updates=total, warmup=warmup, half=7, peak=0.5, at=at)
                if not (near(shown["rate"], rates[at - 1]) and near(shown["mean"], sum(rates) / total / 0.5)):
                    found.append(f"schedule: {name} at {at} of {total}, warm-up {warmup}: {shown}")
    for better, worse in PAIRS:
        interval = paired_interval(better, worse)
        shown, _ = read(page, "interval", better=" ".join(map(repr, better)), worse=", ".join(map(repr, worse)))
        if not (near(shown["difference"], interval.difference) and near(shown["halfwidth"], interval.half_width, 2)):
            found.append(f"interval: {len(better)} pairs: {shown}, not {interval}")
    return found + accepted(page)


def accepted(page):
    """Wrong inputs that the page takes without a word."""
    wrong = [
        ("units", {"loss": -1}),
        ("units", {"loss": 2, "characters": ""}),
        ("schedule", {"at": 41, "updates": 40}),
        ("schedule", {"at": 1, "updates": 10, "warmup": 10}),
        ("interval", {"better": "1 x", "worse": "1 2"}),
        ("interval", {"better": "1 2 3", "worse": "1 2"}),
        ("interval", {"better": "1,2 3", "worse": "1 2 3"}),
    ]
    found = []
    for formula, given in wrong:
        shown, problem = read(page, formula, **given)
        if not problem or set(shown.values()) != {"–"}:
            found.append(f"{formula}: {given} is not refused: {shown}")
    return found
