"""Whether examples are what they should be: well formed, within the model's reach, not in two parts at once."""
from __future__ import annotations

import itertools
from array import array
from typing import Sequence

from lmtune.data.examples import IGNORED, Example


def disjoint(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    """The examples of which nothing stands, token for token, among the others."""
    seen = {tokens for e in others for tokens in _documents(e)}
    return [e for e in examples if not any(tokens in seen for tokens in _documents(e))]


def _documents(example: Example) -> list[tuple[int, ...]]:
    """The token ids of an example, or of each document that is packed in it."""
    ids = tuple(example["input_ids"])
    ends = list(itertools.accumulate(example.get("documents", [len(ids)])))
    return [ids[a:b] for a, b in zip([0, *ends], ends)]


def refuse_unreadable(model, examples: Sequence[Example]) -> None:
    """Refuse examples that the model cannot read: malformed, too long, or with unknown tokens or
    classes.  Without this check a GPU would only say that a device-side assertion failed."""
    config = getattr(model, "config", None)
    limit = getattr(config, "max_position_embeddings", None)
    vocabulary = getattr(config, "vocab_size", None)
    n_classes = getattr(getattr(model, "head", None), "out_features", None)
    for i, example in enumerate(examples):
        _refuse_malformed(i, example, examples[0])
        ids, label = example["input_ids"], example["labels"]
        if limit is not None and len(ids) > limit:
            raise ValueError(f"Example number {i} has {len(ids)} tokens and the model reads at most "
                             f"{limit}; make the examples with context={limit} or less.")
        known = label if isinstance(label, list) else ()
        if vocabulary is not None and max(*ids, *known, 0) >= vocabulary:
            raise ValueError(f"Example number {i} has the token id {max(*ids, *known, 0)} and the model knows "
                             f"{vocabulary}; use the tokenizer that came with the model.")
        if n_classes is not None and isinstance(label, int) and label >= n_classes:
            raise ValueError(f"Example number {i} has the class {label} and the classifier has "
                             f"{n_classes}, counted from 0.")


def _refuse_malformed(i: int, example: Example, first: Example) -> None:
    """An example made by hand may be anything."""
    remedy = "make examples from texts with lmtune.windows, lmtune.pairs or lmtune.labelled."
    if not isinstance(example, dict) or not {"input_ids", "labels", "characters"} <= set(example):
        raise TypeError(f"Example number {i} is {str(example)[:60]!r}, not a dict of input_ids, labels and "
                        f"characters; {remedy}")
    ids, labels = example["input_ids"], example["labels"]
    if not isinstance(labels, (list, int)) or isinstance(labels, int) and labels < 0 and labels != IGNORED:
        raise TypeError(f"Example number {i} has the labels {str(labels)[:60]}; give a list with a label for each "
                        f"token, or a class, a whole number from 0; {remedy}")
    if sum(example.get("documents", [len(ids)])) != len(ids):
        raise ValueError(f"Example number {i} has {len(ids)} tokens and its documents {example['documents']}; pack "
                         "examples with lmtune.pack.")
    for row in (ids, labels) if isinstance(labels, list) else (ids,):
        if not isinstance(row, list) or not row or not _all_whole(row):
            raise TypeError(f"Example number {i} has {str(row)[:60]} where a list of token ids belongs; {remedy}")
    if min(ids) < 0 or isinstance(labels, list) and (len(labels) != len(ids)
                                                     or min(0 if t == IGNORED else t for t in labels) < 0):
        raise ValueError(f"Example number {i} has {len(ids)} tokens and the labels {str(labels)[:60]}; there must be a "
                         f"label for each token, no id below 0, and {IGNORED} where a label is ignored.")
    if isinstance(labels, list) != isinstance(first["labels"], list):
        raise TypeError(f"Example number {i} has the labels {str(labels)[:60]} and example number 0 is of the other "
                        "kind; give either next-token examples or examples with a class.")


def _all_whole(row: list) -> bool:
    try:
        return bool(array("q", row))
    except (TypeError, OverflowError):
        return False
