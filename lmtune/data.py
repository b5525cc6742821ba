"""From text to examples, and from examples to batches.

An *example* is a dict of ``input_ids`` and ``labels`` (lists of token ids) and of
``characters``, the number of characters that its labels spell.  Labels stand at
the position of their own token; the shift by one is :func:`lmtune.losses.shifted`
and happens nowhere else.
"""
from __future__ import annotations

import itertools
import numbers
from array import array
from typing import Any, Iterator, Sequence

import torch

#: The label of a position that no loss counts (the default of ``torch.nn.functional.cross_entropy``).
IGNORED = -100

#: Token ids, labels and characters of one row: see the top of this module.
Example = dict[str, Any]
#: Padded tensors of shape (batch, time): see :func:`collate`.
Batch = dict[str, torch.Tensor]


def windows(
    texts: Sequence[str], tokenizer, context: int | None = None, overlap: int = 0,
) -> list[Example]:
    """Cut documents into windows of at most ``context`` tokens for language modelling.

    Each document becomes: the token that starts a text, its tokens, the end-of-text
    token (for GPT-2 the first and the last are the same).  A document longer than a
    window goes on in the next one, and each token is a label exactly once.  A later
    window first repeats the last token of the one before, or the last ``overlap``
    tokens, as context without labels.

    ``context`` defaults to the tokenizer's ``model_max_length``.
    """
    context = _context(context, tokenizer)
    if not 0 <= overlap <= context - 2:
        raise ValueError(f"overlap is {overlap}; it must lie between 0 and context - 2 = {context - 2}.")
    _refuse_wrong_texts(texts)
    if not tokenizer.is_fast:
        raise ValueError(f"{type(tokenizer).__name__} does not tell where its tokens begin in the text, "
                         "which bits per character need; load a fast tokenizer (AutoTokenizer's default).")
    if len(texts) == 0:
        return []
    start_id, end = start_of_text(tokenizer), end_of_text(tokenizer)
    coded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    examples = []
    for text, ids, offsets in zip(texts, coded["input_ids"], coded["offset_mapping"]):
        row = [start_id, *ids, end]
        # Where each token begins in the text: differences are exact even where
        # several tokens share one character.
        begins = [0, 0, *(a for a, _ in offsets[1:]), len(text)][:len(row)]
        start, known = 0, 1
        while known < len(row):
            stop = min(start + context, len(row))
            ends_at = begins[stop] if stop < len(row) else len(text)
            examples.append({
                "input_ids": row[start:stop],
                "labels": [IGNORED] * (known - start) + row[known:stop],
                "characters": ends_at - begins[known],
            })
            start, known = stop - max(1, overlap), stop
    return examples


def pairs(
    prompts: Sequence[str], completions: Sequence[str], tokenizer, context: int | None = None,
) -> list[Example]:
    """Examples whose loss counts the completion and not the prompt.

    A row is: start-of-text token, prompt, completion, end-of-text token.  Where it is
    longer than ``context`` the *prompt* loses its tokens from the left; a completion
    that does not fit alone is refused.
    """
    _refuse_wrong_texts(prompts)
    _refuse_wrong_texts(completions)
    if len(prompts) != len(completions):
        raise ValueError(f"There are {len(prompts)} prompts and {len(completions)} completions; "
                         "give one completion for each prompt.")
    context = _context(context, tokenizer)
    start_id, end = start_of_text(tokenizer), end_of_text(tokenizer)
    examples = []
    for prompt, completion in zip(prompts, completions):
        asked = tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
        answer = [*tokenizer(completion, add_special_tokens=False, verbose=False)["input_ids"], end]
        room = context - len(answer) - 1
        if room < 0:
            raise ValueError(f"A completion of {len(answer)} tokens does not fit a context of "
                             f"{context}; shorten it: {completion[:60]!r}...")
        asked = asked[max(0, len(asked) - room):]
        examples.append({
            "input_ids": [start_id, *asked, *answer],
            "labels": [IGNORED] * (1 + len(asked)) + answer,
            "characters": len(completion),
        })
    return examples


def labelled(
    texts: Sequence[str], classes: Sequence[int], tokenizer, context: int | None = None,
) -> list[Example]:
    """Examples for classification: the first ``context`` tokens of a text and its class (an int).

    A text begins with the tokenizer's beginning-of-text or classification token; where there is a
    separator (BERT), it ends with that.
    """
    _refuse_wrong_texts(texts)
    if len(texts) != len(classes):
        raise ValueError(f"There are {len(texts)} texts and {len(classes)} classes; "
                         "give one class for each text.")
    for i, c in enumerate(classes):
        if not isinstance(c, numbers.Integral) or c < 0:
            raise TypeError(f"Class number {i} is {c!r}; each class must be a whole number from 0.")
    if len(texts) == 0:
        return []
    context = _context(context, tokenizer)
    start_id = start_of_text(tokenizer)
    last = [] if tokenizer.sep_token_id is None else [tokenizer.sep_token_id]
    coded = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return [{"input_ids": [start_id, *ids][:context - len(last)] + last, "labels": int(c), "characters": len(t)}
            for ids, c, t in zip(coded, classes, texts)]


def collate(examples: Sequence[Example], device: str | torch.device = "cpu") -> Batch:
    """Pad examples on the right into int64 tensors of shape (batch, longest).

    ``attention_mask`` is 1 where a row has a token.  Padded positions get the label
    ``IGNORED`` because of where they are, never because of which token stands
    there: a real end of text keeps its label even if the padding uses the same id.

    With packed examples (:func:`lmtune.pack`) there is no mask but ``documents``, the number of
    the document that each position belongs to, and ``position_ids``, its place in there.
    """
    longest = max(len(e["input_ids"]) for e in examples)
    ids = [e["input_ids"] for e in examples]
    batch = {"input_ids": _padded(ids, longest, 0)}  # any id will do: no loss and no attention sees it
    if any("documents" in e for e in examples):
        batch |= _kept_apart(examples, longest)
    else:
        batch["attention_mask"] = torch.ones(len(ids), longest, dtype=torch.long)
        if any(len(row) < longest for row in ids):
            batch["attention_mask"] *= torch.arange(longest) < torch.tensor([[len(row)] for row in ids])
    labels = [e["labels"] for e in examples]
    if isinstance(labels[0], int):
        batch["labels"] = torch.tensor(labels, dtype=torch.long)
    else:
        batch["labels"] = _padded(labels, longest, IGNORED)
    kind = torch.device(device).type
    if kind == "cuda":  # pinned, a copy need not be waited for
        return {k: v.pin_memory().to(device, non_blocking=True) for k, v in batch.items()}
    return batch if kind == "cpu" else {k: v.to(device) for k, v in batch.items()}


def _padded(rows: list[list[int]], longest: int, filler: int) -> torch.Tensor:
    return torch.tensor([[*row, *[filler] * (longest - len(row))] for row in rows], dtype=torch.long)


def _kept_apart(examples: Sequence[Example], longest: int) -> Batch:
    """Which document each position of packed rows belongs to, and its place there.  Padding is a
    document of its own, so that each position has something to look at."""
    positions, numbers = [], []
    for example in examples:
        lengths = example.get("documents", [len(example["input_ids"])])
        lengths = [*lengths, longest - sum(lengths)]
        positions.append([i for n in lengths for i in range(n)])
        numbers.append([d for d, n in enumerate(lengths) for _ in range(n)])
    return {"documents": torch.tensor(numbers), "position_ids": torch.tensor(positions)}


def disjoint(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    """The examples of which nothing stands, token for token, among the others."""
    seen = {tokens for e in others for tokens in _documents(e)}
    return [e for e in examples if not any(tokens in seen for tokens in _documents(e))]


def _documents(example: Example) -> list[tuple[int, ...]]:
    """The token ids of an example, or of each document that is packed in it."""
    ids = tuple(example["input_ids"])
    ends = list(itertools.accumulate(example.get("documents", [len(ids)])))
    return [ids[a:b] for a, b in zip([0, *ends], ends)]


def count_labels(example: Example) -> int:
    """How many labels of an example a loss counts: for a class one, for next-token labels all that
    are not ignored but the first, which nothing predicts."""
    labels = example["labels"]
    if isinstance(labels, int):
        return int(labels != IGNORED)
    return len(labels) - 1 - labels[1:].count(IGNORED) if labels else 0


def order(n: int, seed: int, epoch: int) -> list[int]:
    """The order of ``n`` examples in an epoch: a permutation drawn from seed and epoch alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(n, generator=generator).tolist()


def in_batches(items: Sequence, size: int) -> Iterator[Sequence]:
    """Consecutive runs of ``size`` items; the last may be shorter."""
    for at in range(0, len(items), size):
        yield items[at : at + size]


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


def start_of_text(tokenizer) -> int:
    """The id of the token that leads a document: beginning of text, classification, else end of text."""
    for token in (tokenizer.bos_token_id, tokenizer.cls_token_id):
        if token is not None:
            return token
    return end_of_text(tokenizer)


def end_of_text(tokenizer) -> int:
    """The id of the token that ends a document."""
    for token in (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.sep_token_id):
        if token is not None:
            return token
    raise ValueError("This tokenizer has no end-of-text token (eos, bos and sep are all unset). "
                     "Set one: tokenizer.eos_token = '...'")


def _context(context: int | None, tokenizer) -> int:
    context = tokenizer.model_max_length if context is None else context
    if not isinstance(context, int) or not 2 <= context <= 1_000_000:
        raise ValueError(f"context is {context!r}; give the number of tokens that the model reads "
                         "at once, a whole number of at least 2.")
    return context


def _refuse_wrong_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise TypeError("A list of texts is needed, and one string was given; write [text].")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"Text number {i} is a {type(text).__name__}; each text must be a str.")
