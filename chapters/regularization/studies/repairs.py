"""What each technique repairs of a rate that is too high: python -m chapters.regularization.studies.repairs"""

from __future__ import annotations

from chapters.regularization.studies import setting
from studies import protocol
from studies.design import Arm, Design, Seeds, Sentence

ARMS = [
    Arm("usual", fixed=setting.USUAL, as_is="a constant rate of 1e-3, as most lessons take"),
    Arm("plain, tuned rate", {"lr": setting.RATES}),
    *setting.techniques({}, setting.USUAL),
]


def sentences() -> list[Sentence]:
    """Of each technique that it repairs something, and that a tuned rate does more."""
    said = []
    for name in (arm.name for arm in ARMS[2:]):
        repairs = f"At a constant rate of 1e-3, {name} lowers the test loss by more than 0.05 nats."
        more = f"A tuned rate without any technique does more than {name} at a constant rate of 1e-3."
        said.append(Sentence(f"{name} repairs", repairs, name, "usual", "lower", 0.05))
        said.append(Sentence(f"more than {name}", more, "plain, tuned rate", name))
    return said


DESIGN = Design(
    study="regularization/repairs",
    question="What does each technique repair of a rate that is too high, and what does tuning the rate repair?",
    arms=ARMS,
    baseline="usual",
    sentences=sentences(),
    unit="nats a token",
    over=setting.over(),
    budgets=(40, 80, 160),
    first=Seeds((110, 111, 112), range(10, 20)),
    replication=Seeds((310, 311, 312), range(210, 220)),
    field={**setting.FIELD, "schedule": "constant 1e-3 but for the tuned arm, which is linear"},
)

if __name__ == "__main__":
    protocol.conduct(DESIGN, setting.run, setting.texts)
