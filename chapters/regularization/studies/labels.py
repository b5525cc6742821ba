"""The setting of the studies on few labels: which of four libraries does a docstring come from?

pocket-mini with a head; one seed draws the labelled documents, their order, the new head, and which labels are wrong.
"""

from __future__ import annotations

import functools
import random

import torch
import torch.nn.functional as F

import lmtune
from lmtune.data import augmentation
from lmtune.data.batches import collate
from lmtune.models.dropout import set_dropout
from lmtune.models.modes import evaluating
from studies.protocol import CHOOSING, REPORTING, TRAINING
from studies.runs import Job

PACKAGES = ("numpy", "pandas", "networkx", "matplotlib")
LABELLED, COPIES, CONTEXT, BATCH = 48, 4, 64, 16
CHOSEN_ON, REPORTED_ON = 300, 600
RATES = (5e-4, 1e-3, 2e-3)
#: Of the words of a document with typing errors, the share that has each kind.
TYPING_ERRORS = 0.5
FIELD = {
    "model": "pocket-mini with a head on the mean of all tokens",
    "task": f"which of {', '.join(PACKAGES)} a docstring comes from, names masked",
    "labelled": LABELLED,
    "context": CONTEXT,
    "batch": BATCH,
    "schedule": "linear, no warm-up",
}
OVER = f"draws of {LABELLED} labelled documents and of the head"


@functools.lru_cache(maxsize=1)
def parts() -> dict[str, list]:
    """All training documents, 300 to choose on and 600 to report on, no text twice."""
    splits, rng, seen, found = lmtune.classification(PACKAGES), random.Random(0), set(), {}
    wanted = {
        REPORTING: (splits.test, REPORTED_ON),
        CHOOSING: (splits.validation, CHOSEN_ON),
        TRAINING: (splits.train, None),
    }
    for name, (rows, number) in wanted.items():
        kept = list({row.text: row for row in rows if row.text not in seen}.values())
        rng.shuffle(kept)
        found[name] = kept[:number]
        seen |= {row.text for row in kept}
    return found


def texts() -> dict[str, list]:
    """The documents of each part."""
    return {name: [row.text for row in part] for name, part in parts().items()}


def run(job: Job) -> dict[str, float]:
    """Train on few documents; the share of documents of ``job.part`` that are sorted wrongly, and the loss in nats.

    Settings beside the arm's: "noise", the share of training labels (and of those that choose) that are wrong,
    and "typing errors", 1 where the documents read are full of them.
    """
    settings = dict(job.settings)
    noise, typos = float(settings.pop("noise", 0.0)), bool(settings.pop("typing errors", 0.0))
    strength = float(settings.pop("strength", 0.0))
    few = with_wrong_labels(random.Random(job.seed).sample(parts()[TRAINING], LABELLED), noise, job.seed)
    language_model, tokenizer = lmtune.load("pocket-mini")
    model = lmtune.classifier(language_model, len(PACKAGES), seed=job.seed, pooling="mean")
    loss, changed, few = technique(job.arm, model, few, strength, job.seed)
    train = coded(few, tokenizer)
    lmtune.fit(model, train, steps=job.steps, batch_size=BATCH, seed=job.seed, loss=loss, progress=False,
               **{**settings, **changed})  # fmt: skip
    read = parts()[job.part]
    if job.part == CHOOSING:
        read = with_wrong_labels(read, noise, job.seed)
    if typos:
        read = [row._replace(text=mistyped(row.text)) for row in read]
    return measured(model, coded(read, tokenizer))


def technique(arm: str, model, few: list, strength: float, seed: int):
    """Loss, settings of the loop, and training documents of an arm; strength 0 (for the average 1) does nothing."""
    loss, changed = lmtune.classification_loss, {}
    if arm == "label smoothing":
        loss = smoothed_classes(strength)
    elif arm == "mix-up" and strength:
        loss = mixed_up(strength)
    elif arm == "dropout":
        set_dropout(model, strength)
    elif arm == "weight decay":
        changed = {"weight_decay": strength}
    elif arm == "L2-SP":
        loss = lmtune.anchored(loss, model, strength)
    elif arm == "average of the weights":
        changed = {"ema": 1 - 1 / strength}
    elif arm in WAYS and strength:
        way = WAYS[arm]
        few = few + [
            row._replace(text=way(row.text, strength, seed * 1000 + COPIES * i + copy))
            for i, row in enumerate(few)
            for copy in range(COPIES)
        ]
    return loss, changed, few


def synonyms(text: str, rate: float, seed: int) -> str:
    """Words replaced by their neighbours in pocket-mini's embeddings."""
    return augmentation.replace_synonyms(text, senses(), rate, seed)


@functools.lru_cache(maxsize=1)
def senses():
    return augmentation.neighbour_senses(*lmtune.load("pocket-mini"))


WAYS = {
    "swapped letters": augmentation.swap_characters,
    "typing errors": augmentation.add_noise,
    "word dropout": augmentation.drop_words,
    "neighbours": synonyms,
}


def mistyped(text: str) -> str:
    """A document with typing errors of both kinds, the same for every seed."""
    return augmentation.add_noise(augmentation.swap_characters(text, TYPING_ERRORS, 0), TYPING_ERRORS, 0)


def with_wrong_labels(rows: list, share: float, seed: int) -> list:
    """The same documents, of which ``share`` in the mean have one of the other labels, drawn by ``seed``."""
    rng = random.Random(f"wrong labels {seed}")
    draws = [(rng.random(), rng.randrange(1, len(PACKAGES))) for _ in rows]
    return [
        row._replace(label=(row.label + other) % len(PACKAGES)) if draw < share else row
        for row, (draw, other) in zip(rows, draws)
    ]


def coded(rows: list, tokenizer) -> list:
    """Documents as examples."""
    return lmtune.labelled([row.text for row in rows], [row.label for row in rows], tokenizer, context=CONTEXT)


def smoothed_classes(epsilon: float):
    """Cross-entropy over the four libraries with smoothed labels (Szegedy et al. 2016, arXiv:1512.00567)."""

    def loss(model, batch):
        logits = model(batch["input_ids"], batch["attention_mask"])
        found = F.cross_entropy(logits, batch["labels"], label_smoothing=epsilon, reduction="sum")
        return found, torch.tensor(len(batch["labels"]))

    loss.bare = lmtune.classification_loss
    return loss


def mixed_up(alpha: float):
    """Mix-up of document vectors and labels (Guo, Mao and Zhang 2019, arXiv:1905.08941)."""

    def loss(model, batch):
        states = []
        hook = model.head.register_forward_pre_hook(lambda _, given: states.append(given[0]))
        model(batch["input_ids"], batch["attention_mask"])
        hook.remove()
        share = torch.distributions.Beta(alpha, alpha).sample((len(states[0]), 1)).to(states[0])
        other = torch.randperm(len(states[0]))
        logits = model.head(share * states[0] + (1 - share) * states[0][other])
        label = batch["labels"]
        first, second = (F.cross_entropy(logits, y, reduction="none") for y in (label, label[other]))
        return (share[:, 0] * first + (1 - share[:, 0]) * second).sum(), torch.tensor(len(label))

    loss.bare = lmtune.classification_loss
    return loss


@torch.no_grad()
def measured(model, examples: list) -> dict[str, float]:
    """The share of documents that are sorted wrongly, and the cross-entropy in nats."""
    with evaluating(model):
        batches = (collate(examples[i : i + 50]) for i in range(0, len(examples), 50))
        logits = torch.cat([model(batch["input_ids"], batch["attention_mask"]) for batch in batches])
    labels = torch.tensor([example["labels"] for example in examples])
    wrong = (logits.argmax(-1) != labels).double().mean().item()
    return {"loss": wrong, "nats": F.cross_entropy(logits, labels).item()}
