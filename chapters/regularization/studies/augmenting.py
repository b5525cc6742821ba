"""What new documents out of old ones are worth, on clean text: python -m chapters.regularization.studies.augmenting"""

from __future__ import annotations

from chapters.regularization.studies import labels
from studies import protocol
from studies.design import Arm, Design, Seeds, Sentence

SHARE = (0.0, 0.9, "more would leave no word as it was")


def arms(fixed: dict) -> list[Arm]:
    """Plain training, each way to change a document, and mix-up; rate and strength tuned."""
    ways = [
        Arm(name, {"lr": labels.RATES, "strength": (0.1, 0.2, 0.4)}, {"strength": 0.0}, {"strength": SHARE}, fixed)
        for name in labels.WAYS
    ]
    mix = Arm("mix-up", {"lr": labels.RATES, "strength": (0.1, 0.4, 1.6)}, {"strength": 0.0}, fixed=fixed)
    return [Arm("plain", {"lr": labels.RATES}, fixed=fixed), *ways, mix]


def design(study: str, where: str, fixed: dict, seed: int) -> Design:
    """The study on one kind of test document."""
    made = arms(fixed)
    return Design(
        study=f"regularization/{study}",
        question=f"With {labels.LABELLED} labels, which augmentation lowers the error on {where}?",
        arms=made,
        baseline="plain",
        sentences=[
            Sentence(
                f"{one.name} helps",
                f"With {labels.LABELLED} labels, {one.name} lowers the share of errors on {where}.",
                one.name,
                "plain",
            )
            for one in made[1:]
        ],  # fmt: skip
        unit="share of documents sorted wrongly",
        over=labels.OVER,
        budgets=(60, 120, 240),
        first=Seeds(range(seed, seed + 4), range(seed - 100, seed - 88)),
        replication=Seeds(range(seed + 200, seed + 204), range(seed + 100, seed + 112)),
        field=labels.FIELD,
    )


DESIGN = design("augmenting", "clean documents", {}, 150)

if __name__ == "__main__":
    protocol.conduct(DESIGN, labels.run, labels.texts)
