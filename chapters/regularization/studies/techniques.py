"""What remains of each technique when every rate is tuned: python -m chapters.regularization.studies.techniques"""

from __future__ import annotations

from chapters.regularization.studies import setting
from studies import protocol
from studies.design import Arm, Design, Seeds, Sentence

RATES = (2.5e-4, 5e-4, 1e-3)


def arm(name: str, strengths: tuple, nothing: float = 0.0, bound: tuple | None = None) -> Arm:
    """A technique whose rate and strength are tuned."""
    bounds = {"strength": bound} if bound else {}
    return Arm(name, {"lr": RATES, "strength": strengths}, nothing={"strength": nothing}, bounds=bounds)


ARMS = [
    Arm("plain", {"lr": RATES}),
    Arm("usual", fixed={"lr": 1e-3, "schedule": "constant"}, as_is="a constant rate of 1e-3, as most lessons take"),
    arm("dropout", (0.05, 0.1, 0.2), bound=(0.0, 0.8, "more would leave hardly anything")),
    arm("weight decay", (0.5, 2.0, 8.0)),
    arm("L2 in the loss", (0.003, 0.01, 0.0333)),
    arm("L1 in the loss", (0.0003, 0.001, 0.00333)),
    arm("L2-SP", (0.03, 0.1, 0.333)),
    arm("label smoothing", (0.05, 0.1, 0.2), bound=(0.0, 0.8, "more would leave hardly any label")),
    arm("average of the weights", (8, 16, 32), nothing=1.0),
    Arm("best weights", {"lr": RATES}),
]
TECHNIQUES = [one.name for one in ARMS[2:]]


def sentences() -> list[Sentence]:
    """Of each technique that it helps, and that what it changes is small beside what the rate changes."""
    helps = [
        Sentence(f"{name} helps", f"With every rate tuned, {name} lowers the test loss of a plain run.", name, "plain")
        for name in TECHNIQUES
    ]
    small = [
        Sentence(f"{name} is small", f"With every rate tuned, {name} changes the test loss by less than 0.1 nats.",
                 name, "plain", "alike", 0.1, at_budget=True)
        for name in TECHNIQUES
    ]  # fmt: skip
    rate = Sentence("the rate is large", "A plain run with a tuned rate is more than 0.2 nats better than the usual one.",
                    "plain", "usual", "lower", 0.2)  # fmt: skip
    return [rate, *helps, *small]


DESIGN = Design(
    study="regularization/techniques",
    question="What remains of each technique when the rate is tuned, with it and without it?",
    arms=ARMS,
    baseline="plain",
    sentences=sentences(),
    unit="nats a token",
    over=setting.OVER,
    budgets=(40, 80, 160),
    first=Seeds((100, 101, 102), tuple(range(10))),
    replication=Seeds((300, 301, 302), tuple(range(200, 210))),
    field=setting.FIELD,
)

if __name__ == "__main__":
    protocol.conduct(DESIGN, setting.run, setting.texts)
