"""What pretraining is worth in labels: python -m chapters.transfer_learning.studies.labels

Which of four libraries does a docstring come from?  8 to 512 labelled documents.  pocket-mini is
fine-tuned from pretrained and from random weights at the same budget; a logistic regression reads
frozen features of several bodies, or word counts (TF-IDF).
"""

from __future__ import annotations

import time

import numpy as np
import torch

import lmtune
from chapters.transfer_learning.studies.record import (
    BATCH,
    CONTEXT,
    PACKAGES,
    SEEDS,
    STEPS,
    TUNING_SEED,
    WARMUP,
    documents,
    examples,
    few,
    measure,
    write,
)
from lmtune.data.batches import collate, in_batches
from lmtune.models.modes import evaluating

SIZES = [8, 16, 32, 64, 128, 256, 512]
RATES, TUNED_ON = [3e-4, 1e-3, 3e-3], [32, 256]
#: Name, pretrained or not, and how the states become one vector.
TUNED = {"pretrained": (True, "mean"), "random weights": (False, "mean"), "pretrained, last token": (True, "last")}
#: Name, model, pretrained or not, pooling.
FROZEN = {
    "frozen pocket-mini": ("pocket-mini", True, "mean"),
    "frozen random weights": ("pocket-mini", False, "mean"),
    "frozen pocket-mini, last token": ("pocket-mini", True, "last"),
    "frozen pocket": ("pocket", True, "mean"),
    "frozen pocket, last token": ("pocket", True, "last"),
    "frozen encoder": ("encoder", True, "mean"),
}

#: What 1 / penalty is chosen from, for frozen features (True) and for word counts (False).
STRENGTHS = {True: [0.001, 0.01, 0.1, 1.0], False: [0.1, 1.0, 10.0, 100.0, 1000.0]}


def tune(pretrained: bool, pooling: str, train, tested, seed: int, lr: float) -> dict:
    """Fine-tune pocket-mini on labelled examples and measure it."""
    body, _ = lmtune.load("pocket-mini", pretrained=pretrained, seed=seed)
    model = lmtune.classifier(body, len(PACKAGES), seed=seed, pooling=pooling)
    lmtune.fit(
        model,
        train,
        steps=STEPS,
        batch_size=BATCH,
        lr=lr,
        warmup=WARMUP,
        seed=seed,
        loss=lmtune.classification_loss,
        progress=False,
    )
    return measure(model, tested)


@torch.no_grad()
def features(name: str, pretrained: bool, pooling: str, rows) -> np.ndarray:
    """What a frozen body makes of documents: shape (documents, width)."""
    body, tokenizer = lmtune.load_encoder() if name == "encoder" else lmtune.load(name, pretrained=pretrained)
    model = lmtune.classifier(body, len(PACKAGES), pooling=pooling)
    with evaluating(model):
        made = [
            model.features(b["input_ids"], b["attention_mask"])
            for b in map(collate, in_batches(examples(rows, tokenizer), 50))
        ]
    return torch.cat(made).numpy()


def regression(train, labels, tested, right) -> dict:
    """Error and loss of a logistic regression, its strength chosen by cross-validation."""
    from sklearn.linear_model import LogisticRegression
    from sklearn.metrics import log_loss
    from sklearn.model_selection import GridSearchCV, KFold
    from sklearn.pipeline import make_pipeline
    from sklearn.preprocessing import StandardScaler

    dense = isinstance(train, np.ndarray)  # TF-IDF has its own scale, rows of length 1, and wants a larger C
    model = make_pipeline(*([StandardScaler()] if dense else []), LogisticRegression(max_iter=300))
    folds = KFold(4, shuffle=True, random_state=0)
    search = GridSearchCV(model, {"logisticregression__C": STRENGTHS[dense]}, cv=folds)
    search.fit(train, labels)
    chances = np.full((len(right), len(PACKAGES)), 1e-6)  # a class that no label names
    chances[:, search.classes_] = search.predict_proba(tested)
    chances /= chances.sum(1, keepdims=True)
    return {
        "error": round(float((search.predict(tested) != right).mean()), 4),
        "loss": round(float(log_loss(right, chances, labels=range(len(PACKAGES)))), 4),
    }


def counted_words(texts, tested):
    """TF-IDF over words, of the same first characters that the models read."""
    from sklearn.feature_extraction.text import TfidfVectorizer

    vectorizer = TfidfVectorizer(sublinear_tf=True)
    return vectorizer.fit_transform(texts), vectorizer.transform(tested)


def cut(rows, tokenizer) -> list[str]:
    """The first CONTEXT tokens as text, so that all read the same."""
    coded = tokenizer([r.text for r in rows], add_special_tokens=False)["input_ids"]
    return [tokenizer.decode(ids[: CONTEXT - 1]) for ids in coded]


def frozen_rows(train, test, tokenizer, told) -> dict:
    """Every logistic regression, for every size and seed."""
    import warnings

    warnings.filterwarnings("ignore")  # folds that lack a class at eight labels
    drawn = {seed: few(train, SIZES[-1], seed) for seed in SEEDS}
    right = np.array([r.label for r in test])
    pool = [row for seed in SEEDS for row in drawn[seed]]
    results = {}
    for name, how in FROZEN.items():
        made, tested = features(*how, pool), features(*how, test)
        results[name] = {
            str(n): [
                regression(made[i * 512 : i * 512 + n], [r.label for r in drawn[seed][:n]], tested, right)
                for i, seed in enumerate(SEEDS)
            ]
            for n in SIZES
        }
        told(name, results[name])
    results["word counts"] = word_count_rows(pool, drawn, test, tokenizer)
    told("word counts", results["word counts"])
    return results


def word_count_rows(pool, drawn, test, tokenizer) -> dict:
    """The logistic regression on word counts, for every size and seed."""
    right = np.array([r.label for r in test])
    texts, tested = cut(pool, tokenizer), cut(test, tokenizer)
    return {
        str(n): [
            regression(*_both(texts[i * 512 : i * 512 + n], [r.label for r in drawn[seed][:n]], tested), right)
            for i, seed in enumerate(SEEDS)
        ]
        for n in SIZES
    }


def _both(texts, labels, tested):
    made, seen = counted_words(texts, tested)
    return made, labels, seen


def main() -> None:
    began = time.process_time()

    def told(name, rows):
        means = {n: round(sum(r["error"] for r in runs) / len(runs), 3) for n, runs in rows.items()}
        print(name, means, f"{time.process_time() - began:.0f} s", flush=True)

    _, tokenizer = lmtune.load("pocket-mini")
    train, validation, test = documents()
    validated, tested = examples(validation, tokenizer), examples(test, tokenizer)
    rates, results = {}, {}
    for name, (pretrained, pooling) in TUNED.items():
        losses = {
            lr: sum(
                tune(pretrained, pooling, examples(few(train, n, TUNING_SEED), tokenizer), validated, TUNING_SEED, lr)[
                    "error"
                ]
                for n in TUNED_ON
            )
            for lr in RATES
        }
        rates[name] = min(losses, key=losses.get)
        print(name, losses, flush=True)
        results[name] = {
            str(n): [
                tune(pretrained, pooling, examples(few(train, n, s), tokenizer), tested, s, rates[name]) for s in SEEDS
            ]
            for n in SIZES
        }
        told(name, results[name])
    results |= frozen_rows(train, test, tokenizer, told)
    counts = np.bincount([r.label for r in test]).tolist()
    write(
        "labels",
        {
            "packages": PACKAGES,
            "sizes": SIZES,
            "steps": STEPS,
            "batch": BATCH,
            "context": CONTEXT,
            "rates tried": RATES,
            "tuned on": TUNED_ON,
            "rates": rates,
            "test labels": counts,
            "seeds": SEEDS,
        },
        results,
        began,
    )


if __name__ == "__main__":
    main()
