"""What helps when three labels in ten are wrong: python -m chapters.regularization.studies.noisy_labels"""

from __future__ import annotations

from chapters.regularization.studies import labels
from studies import protocol
from studies.design import Arm, Design, Seeds, Sentence

NOISY = {"noise": 0.3}


def arm(name: str, strengths: tuple, nothing: float = 0.0, bound: tuple | None = None) -> Arm:
    """A technique whose rate and strength are tuned."""
    bounds = {"strength": bound} if bound else {}
    return Arm(name, {"lr": labels.RATES, "strength": strengths}, {"strength": nothing}, bounds, NOISY)


ARMS = [
    Arm("plain", {"lr": labels.RATES}, fixed=NOISY),
    arm("label smoothing", (0.1, 0.2, 0.4), bound=(0.0, 0.8, "more would leave hardly any label")),
    arm("mix-up", (0.1, 0.4, 1.6)),
    arm("dropout", (0.05, 0.1, 0.2), bound=(0.0, 0.8, "more would leave hardly anything")),
    arm("weight decay", (0.5, 2.0, 8.0)),
    arm("L2-SP", (0.03, 0.1, 0.333)),
    arm("average of the weights", (8, 16, 32), nothing=1.0),
]

DESIGN = Design(
    study="regularization/noisy_labels",
    question="Three labels in ten are wrong, also among those that choose: which technique lowers the error?",
    arms=ARMS,
    baseline="plain",
    sentences=[
        Sentence(
            f"{one.name} helps",
            f"With three labels in ten wrong, {one.name} lowers the share of errors.",
            one.name,
            "plain",
        )
        for one in ARMS[1:]
    ],  # fmt: skip
    unit="share of documents sorted wrongly",
    over=labels.OVER,
    budgets=(60, 120, 240),
    first=Seeds(range(130, 134), range(30, 42)),
    replication=Seeds(range(330, 334), range(230, 242)),
    field=labels.FIELD,
)

if __name__ == "__main__":
    protocol.conduct(DESIGN, labels.run, labels.texts)
