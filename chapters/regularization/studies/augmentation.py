"""Augmentation and mix-up on few labelled documents: python -m chapters.regularization.studies.augmentation

Which of four libraries does a docstring come from?  The pretrained pocket-mini with a head, 48
labelled documents (other ones for each seed), 60 updates.  Tested as it is, and with typing errors.
"""

from __future__ import annotations

import random
import time

import torch
import torch.nn.functional as F

import lmtune
from chapters.regularization.studies.labels import mixed_up
from chapters.regularization.studies.record import SEEDS, write
from lmtune.data import augmentation
from lmtune.data.batches import collate
from lmtune.diagnostics.calibration import expected_calibration_error
from lmtune.models.dropout import set_dropout
from lmtune.models.modes import evaluating

PACKAGES = ("numpy", "pandas", "networkx", "matplotlib")
LABELLED, COPIES, STEPS, BATCH, LR, CONTEXT, TESTED = 48, 4, 60, 16, 1e-3, 64, 300
RATE, TYPOS = 0.2, 0.5


def noisy(text: str, seed: int = 0) -> str:
    """A test document with typing errors of both kinds."""
    return augmentation.add_noise(augmentation.swap_characters(text, TYPOS, seed), TYPOS, seed)


def ways(senses, encoders):
    """Each augmentation, as a function of text and seed; neighbours in two embeddings."""
    one = {
        "swapped letters": lambda t, s: augmentation.swap_characters(t, RATE, s),
        "noise": lambda t, s: augmentation.add_noise(t, RATE, s),
        "word dropout": lambda t, s: augmentation.drop_words(t, RATE, s),
        "neighbours": lambda t, s: augmentation.replace_synonyms(t, senses, RATE, s),
    }
    functions = list(one.values())
    one["neighbours, encoder"] = lambda t, s: augmentation.replace_synonyms(t, encoders, RATE, s)
    return {**one, "one of the four": lambda t, s: functions[s % 4](t, s)}


@torch.no_grad()
def measure(model, examples) -> dict[str, float]:
    """Error rate, loss in nats and calibration error."""
    with evaluating(model):
        logits = torch.cat(
            [
                model(b["input_ids"], b["attention_mask"])
                for b in (collate(examples[i : i + 50]) for i in range(0, len(examples), 50))
            ]
        )
    labels = torch.tensor([e["labels"] for e in examples])
    found = {
        "error": (logits.argmax(-1) != labels).double().mean().item(),
        "loss": F.cross_entropy(logits, labels).item(),
        "calibration": expected_calibration_error(logits.softmax(-1), labels),
    }
    return {name: round(value, 4) for name, value in found.items()}


def run(name: str, seed: int, data, tokenizer, way=None) -> dict:
    """Train on few documents and test on clean and noisy ones."""
    labelled, clean, typos = data
    few = random.Random(seed).sample(labelled, LABELLED)
    if way is not None:
        few = few + [
            row._replace(text=way(row.text, COPIES * i + c)) for i, row in enumerate(few) for c in range(COPIES)
        ]
    train = lmtune.labelled([r.text for r in few], [r.label for r in few], tokenizer, context=CONTEXT)
    language_model, _ = lmtune.load("pocket-mini")
    model = lmtune.classifier(language_model, len(PACKAGES), seed=seed)
    if name == "dropout":
        set_dropout(model, 0.1)
    loss = mixed_up(0.4) if name == "mix-up" else lmtune.classification_loss
    lmtune.fit(
        model,
        train,
        steps=STEPS,
        batch_size=BATCH,
        lr=LR,
        warmup=3,
        schedule="constant",
        seed=seed,
        loss=loss,
        ema=0.95 if name == "EMA" else None,
        progress=False,
    )
    return {"clean": measure(model, clean), "noisy": measure(model, typos)}


def field(tokenizer):
    """Labelled train documents, and clean and noisy test examples."""
    parts = lmtune.classification(PACKAGES)
    tested = random.Random(0).sample(parts.test, TESTED)
    labels = [r.label for r in tested]
    clean, typos = (
        lmtune.labelled([change(r.text) for r in tested], labels, tokenizer, context=CONTEXT) for change in (str, noisy)
    )
    return parts.train, clean, typos


def main() -> None:
    began = time.process_time()
    language_model, tokenizer = lmtune.load("pocket-mini")
    data = field(tokenizer)
    senses = augmentation.neighbour_senses(language_model, tokenizer)
    encoders = augmentation.neighbour_senses(*lmtune.load_encoder())
    found, results = ways(senses, encoders), {}
    for name in ("none", *found, "mix-up", "dropout", "EMA"):
        results[name] = [run(name, seed, data, tokenizer, found.get(name)) for seed in SEEDS]
        print(name, results[name], f"{time.process_time() - began:.0f} s", flush=True)
    counts = torch.bincount(torch.tensor([e["labels"] for e in data[1]])).tolist()
    write(
        "augmentation",
        {
            "packages": PACKAGES,
            "labelled": LABELLED,
            "copies": COPIES,
            "steps": STEPS,
            "batch": BATCH,
            "lr": LR,
            "context": CONTEXT,
            "tested": TESTED,
            "test labels": counts,
            "rate": RATE,
            "typing errors": TYPOS,
            "seeds": SEEDS,
        },
        results,
        time.process_time() - began,
    )


if __name__ == "__main__":
    main()
