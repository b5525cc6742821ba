"""Measure a pretrained model and write the folder that is shipped: weights, log and card."""

from __future__ import annotations

import csv
import importlib.metadata
import os
import platform
import shutil
from dataclasses import asdict
from datetime import date
from pathlib import Path

import numpy as np
import torch

import lmtune
from lmtune.data import docstrings
from lmtune.data.split import containment, repeating, shingles, split

#: A validation document with more of its shingles in the training text than this
#: measures memory; the reported figure leaves it out.
MAX_CONTAINMENT = 0.5

CARD = """---
license: apache-2.0
language: en
library_name: transformers
---
# {name}

A GPT-2 of {layers} layers x {width} ({parameters:,} parameters), context 256, with a byte-level BPE
of 4,096 tokens, pretrained from random weights on the documentation that Python packages carry in
their docstrings. It was made for one purpose: experiments on fine-tuning that run anywhere in
seconds. It writes the beginnings of docstrings; it knows nothing else.

Made by `python -m studies.pretraining.pretrain {name}` on {date} ({machine}).

## Measured

On {n_documents:,} validation documents of the pretraining packages of which at most half of the
five-word shingles occur in the training text ({characters:,} characters, {labels:,} tokens), with the
weights as shipped (bf16):

| window | loss (nats per token) | perplexity | bits per character |
|---|---|---|---|
| 256 tokens, every token sees at least 128 before it where the document has them | {loss:.3f} | {perplexity:.1f} | **{bpc:.3f}** |
| 256 tokens, no overlap | {loss_plain:.3f} | {perplexity_plain:.1f} | {bpc_plain:.3f} |

The {n_repeated:,} other validation documents repeat the training text, and are not counted.
The mean training loss of the last 100 updates was {train_loss:.3f} nats.

![Training loss falls from {first_loss:.1f} to {train_loss:.1f} nats a token over the run.](loss.svg)

## Data

{n_train:,} train documents, {n_tokens:,} tokens. The split is by a BLAKE2 hash of the object's name;
documents that nearly repeat one of validation or test, or any document of {held_out}, are left
out. Nothing of {held_out} is in the training text.

| package | version | train documents | characters |
|---|---|---|---|
{packages}

The texts belong to their projects; none is part of this repository.

## Recipe

{recipe}

Hidden matrices with Muon (`torch.optim.Muon`, momentum 0.95, rate adjusted to AdamW's update size),
everything else with AdamW (0.9, 0.95); linear warm-up, then linear to zero; bf16 autocast.
`log.csv` has the loss, rate and seconds of every 20 updates ({minutes:.0f} minutes in all).

## Limits

English API documentation only; the largest packages dominate. It repeats itself, invents parameters
and functions that do not exist, and must not be used as a source of facts. It is too small to follow
instructions. Some of what it writes may stand word for word in the documentation it was trained on.
"""


def ship(name: str, model, tokenizer, work: Path, recipe) -> Path:
    """Write ``lmtune/models/pretrained/NAME`` from a trained model and return the folder."""
    shipped = Path(lmtune.__file__).parent / "models" / "pretrained" / name
    folder = work / f"{name}-shipped"  # complete before it takes the place of the old one
    shutil.rmtree(folder, ignore_errors=True)
    model.to(torch.bfloat16).save_pretrained(folder)
    (folder / "model.safetensors").chmod(0o644)
    tokenizer.save_pretrained(folder)
    shutil.copy(work / name / "log.csv", folder / "log.csv")
    log = list(csv.DictReader(open(folder / "log.csv", newline="")))
    (folder / "loss.svg").write_text(_loss_curve(log), encoding="utf8")
    facts = _facts(name, folder, log, recipe)
    (folder / "README.md").write_text(CARD.format(**facts), encoding="utf8")
    shutil.rmtree(shipped, ignore_errors=True)
    shutil.copytree(folder, shipped)
    return shipped


def _facts(name: str, folder: Path, log: list[dict], recipe) -> dict:
    """Everything the card says, measured."""
    train, validation = pretraining_documents()
    corpus = np.unique(np.concatenate([shingles(d.text) for d in train]))
    fresh = [d.text for d in validation if containment(d.text, corpus) <= MAX_CONTAINMENT]
    model, tokenizer = lmtune.load(folder)
    sliding = lmtune.evaluate(model, lmtune.windows(fresh, tokenizer, overlap=128))
    plain = lmtune.evaluate(model, lmtune.windows(fresh, tokenizer))
    tokens = sum(len(ids) + 1 for ids in tokenizer([d.text for d in train], verbose=False)["input_ids"])
    return {
        "name": name,
        "layers": recipe.layers,
        "width": recipe.width,
        "date": date.today().isoformat(),
        "machine": f"{os.cpu_count()} CPU cores, {platform.machine()}, "
        f"Python {platform.python_version()}, torch {torch.__version__.split('+')[0]}",
        "parameters": sum(p.numel() for p in model.parameters()),
        "n_documents": len(fresh),
        "n_repeated": len(validation) - len(fresh),
        "characters": sliding.characters,
        "labels": sliding.labels,
        "loss": sliding.loss,
        "perplexity": sliding.perplexity,
        "bpc": sliding.bits_per_character,
        "loss_plain": plain.loss,
        "perplexity_plain": plain.perplexity,
        "bpc_plain": plain.bits_per_character,
        "first_loss": float(log[0]["loss"]),
        "train_loss": float(np.mean([float(r["loss"]) for r in log[-5:]])),
        "n_train": len(train),
        "n_tokens": tokens,
        "held_out": " and ".join(docstrings.HELD_OUT),
        "packages": "\n".join(_package_row(p, train) for p in docstrings.PRETRAIN_PACKAGES),
        "recipe": "\n".join(f"- {k}: {v}" for k, v in asdict(recipe).items()),
        "minutes": sum(float(r["seconds"]) for r in log) / 60,
    }


def pretraining_documents() -> tuple[list, list]:
    """Train and validation documents of the pretraining packages; no train document
    repeats one of a held-out library."""
    parts = split([d for p in docstrings.PRETRAIN_PACKAGES for d in docstrings.extract(p)])
    held_out = [d.text for p in docstrings.HELD_OUT for d in docstrings.extract(p)]
    again = repeating([d.text for d in parts.train], held_out)
    return [d for d, a in zip(parts.train, again) if not a], parts.validation


def _package_row(package: str, train: list) -> str:
    texts = [d.text for d in train if d.package == package]
    version = (
        platform.python_version()
        if package == docstrings.STDLIB
        else importlib.metadata.version(docstrings.DISTRIBUTIONS.get(package, package))
    )
    return f"| {package} | {version.split('+')[0]} | {len(texts):,} | {sum(map(len, texts)):,} |"


def _loss_curve(log: list[dict]) -> str:
    from lmtune.plots import figure, svg

    fig, ax = figure()
    ax.plot([int(r["tokens"]) / 1e6 for r in log], [float(r["loss"]) for r in log])
    ax.set(xlabel="training tokens (millions)", ylabel="training loss (nats per token)")
    return svg(fig)
