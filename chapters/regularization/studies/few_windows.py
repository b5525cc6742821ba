"""Each technique with a quarter of the data: python -m chapters.regularization.studies.few_windows"""

from __future__ import annotations

from chapters.regularization.studies import setting
from studies import protocol
from studies.design import Arm, Design, Seeds, Sentence

WINDOWS = 12
FEW = {"windows": WINDOWS}
ARMS = [
    Arm("plain", {"lr": setting.RATES}, fixed=FEW),
    Arm("usual", fixed={**setting.USUAL, **FEW}, as_is="a constant rate of 1e-3, as most lessons take"),
    *setting.techniques({"lr": setting.RATES}, FEW),
]


def sentences() -> list[Sentence]:
    """Of each technique that it helps where there is little to learn from."""
    return [
        Sentence(f"{arm.name} helps", f"With {WINDOWS} windows and every rate tuned, {arm.name} lowers the test loss.",
                 arm.name, "plain")
        for arm in ARMS[2:]
    ]  # fmt: skip


DESIGN = Design(
    study="regularization/few_windows",
    question="Which technique earns its place when there are twelve windows to learn from?",
    arms=ARMS,
    baseline="plain",
    sentences=sentences(),
    unit="nats a token",
    over=setting.over(WINDOWS),
    budgets=(40, 80, 160),
    first=Seeds((120, 121, 122), range(20, 30)),
    replication=Seeds((320, 321, 322), range(220, 230)),
    field=setting.FIELD,
)

if __name__ == "__main__":
    protocol.conduct(DESIGN, setting.run, setting.texts)
