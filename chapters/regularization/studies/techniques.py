"""What remains of each technique when every rate is tuned: python -m chapters.regularization.studies.techniques"""

from __future__ import annotations

from chapters.regularization.studies import setting
from studies import protocol
from studies.design import Arm, Design, Seeds, Sentence

ARMS = [
    Arm("plain", {"lr": setting.RATES}),
    Arm("usual", fixed=setting.USUAL, as_is="a constant rate of 1e-3, as most lessons take"),
    *setting.techniques({"lr": setting.RATES}, {}),
]


def sentences() -> list[Sentence]:
    """What the rate does, and of each technique that it helps, or that it changes little beside that."""
    rate = "A plain run with a tuned rate has a test loss more than 0.2 nats below that of a constant 1e-3."
    said = [Sentence("rate", rate, "plain", "usual", "lower", 0.2)]
    for name in (arm.name for arm in ARMS[2:]):
        helps = f"With every rate tuned, {name} lowers the test loss of a plain run."
        small = f"At 40 updates and with every rate tuned, {name} changes the test loss by less than 0.1 nats."
        said.append(Sentence(f"{name} helps", helps, name, "plain"))
        said.append(Sentence(f"{name} is small", small, name, "plain", "alike", 0.1, at_budget=True))
    return said


DESIGN = Design(
    study="regularization/techniques",
    question="What remains of each technique when the rate is tuned, with it and without it?",
    arms=ARMS,
    baseline="plain",
    sentences=sentences(),
    unit="nats a token",
    over=setting.over(),
    budgets=(40, 80, 160),
    first=Seeds((100, 101, 102), range(10)),
    replication=Seeds((300, 301, 302), range(200, 210)),
    field=setting.FIELD,
)

if __name__ == "__main__":
    protocol.conduct(DESIGN, setting.run, setting.texts)
