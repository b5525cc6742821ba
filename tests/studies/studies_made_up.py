"""A study that costs nothing: losses by a formula, known rates, and one arm that helps."""

import math
import random

from studies.design import Arm, Design, Seeds, Sentence

RATES = (1e-4, 2e-4, 4e-4)
STRENGTHS = (0.001, 0.003, 0.009)
TEXTS = {"training": ["a", "b"], "choosing": ["c"], "reporting": ["d", "e"]}


def run(job):
    """Best at a rate of 8e-4; "helps" is 0.2 better at a strength of 0.081, "harms" worse at every strength."""
    rng = random.Random(f"{job.seed} {job.part}")
    rate, strength = job.settings["lr"], job.settings.get("strength", 0.0)
    loss = 2 + 0.1 * math.log(rate / 8e-4) ** 2 + 0.05 * rng.gauss(0, 1)
    if strength:
        near = math.exp(-(math.log(strength / 0.081) ** 2))
        own = random.Random(f"{job.seed} {job.part} {job.arm}").gauss(0, 0.01)
        loss += {"helps": -0.2 * near + own, "harms": 0.1 + own}[job.arm]
    return {"loss": loss, "distance": rate * job.steps}


def design(**changed):
    """The design, with some of its fields changed."""
    tuned = {"lr": RATES, "strength": STRENGTHS}
    arms = [
        Arm("plain", {"lr": RATES}),
        Arm("usual", fixed={"lr": 4e-3}, as_is="what most take"),
        Arm("helps", tuned, nothing={"strength": 0.0}),
        Arm("harms", tuned, nothing={"strength": 0.0}),
    ]
    sentences = [
        Sentence("helps", "It helps.", "helps", "plain"),
        Sentence("harms", "The other one helps.", "harms", "plain"),
        Sentence("rate", "The rate does more.", "plain", "usual", "lower", 0.1),
        Sentence("alike", "Both are alike.", "harms", "plain", "alike", 0.05),
    ]
    fields = dict(
        study="made_up/study",
        question="Does it help?",
        arms=arms,
        baseline="plain",
        sentences=sentences,
        unit="nats",
        over="draws",
        budgets=(10, 20, 40),
        first=Seeds((100, 101), range(6)),
        replication=Seeds((300, 301), range(200, 206)),
        field={},
    )
    return Design(**{**fields, **changed})
