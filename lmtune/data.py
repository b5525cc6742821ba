"""From text to examples, and from examples to batches.

An *example* is a dict of ``input_ids`` and ``labels`` (lists of token ids) and of
``characters``, the number of characters that its labels spell.  Labels stand at
the position of their own token; the shift by one happens in
:func:`lmtune.losses.next_token_loss` and nowhere else.
"""
from __future__ import annotations

from typing import Any, Iterator, Sequence

import torch

#: The label of a position that no loss counts (the default of ``torch.nn.functional.cross_entropy``).
IGNORED = -100

Example = dict[str, Any]
Batch = dict[str, torch.Tensor]


def windows(
    texts: Sequence[str], tokenizer, context: int | None = None, overlap: int = 0,
) -> list[Example]:
    """Cut documents into windows of at most ``context`` tokens for language modelling.

    Each document becomes: end-of-text token, its tokens, end-of-text token.  A
    document longer than a window goes on in the next one, and each token is a
    label exactly once.  A later window first repeats the last token of the one
    before, or the last ``overlap`` tokens, as context without labels.

    ``context`` defaults to the tokenizer's ``model_max_length``.
    """
    context = context or tokenizer.model_max_length
    if not 2 <= context <= 1_000_000:
        raise ValueError(f"context is {context}; give the number of tokens that the model reads "
                         "at once, at least 2.")
    if not 0 <= overlap <= context - 2:
        raise ValueError(f"overlap is {overlap}; it must lie between 0 and context - 2 = {context - 2}.")
    _refuse_wrong_texts(texts)
    end = end_of_text(tokenizer)
    coded = tokenizer(list(texts), add_special_tokens=False, return_offsets_mapping=True, verbose=False)
    examples = []
    for text, ids, offsets in zip(texts, coded["input_ids"], coded["offset_mapping"]):
        row = [end, *ids, end]
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

    A row is: end-of-text token, prompt, completion, end-of-text token.  Where it is
    longer than ``context`` the *prompt* loses its tokens from the left; a completion
    that does not fit alone is refused.
    """
    _refuse_wrong_texts(prompts)
    _refuse_wrong_texts(completions)
    if len(prompts) != len(completions):
        raise ValueError(f"There are {len(prompts)} prompts and {len(completions)} completions; "
                         "give one completion for each prompt.")
    context = context or tokenizer.model_max_length
    end = end_of_text(tokenizer)
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
            "input_ids": [end, *asked, *answer],
            "labels": [IGNORED] * (1 + len(asked)) + answer,
            "characters": len(completion),
        })
    return examples


def labelled(
    texts: Sequence[str], classes: Sequence[int], tokenizer, context: int | None = None,
) -> list[Example]:
    """Examples for classification: the first ``context`` tokens of a text and its class (an int)."""
    _refuse_wrong_texts(texts)
    if len(texts) != len(classes):
        raise ValueError(f"There are {len(texts)} texts and {len(classes)} classes; "
                         "give one class for each text.")
    context = context or tokenizer.model_max_length
    end = end_of_text(tokenizer)
    coded = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return [{"input_ids": [end, *ids][:context], "labels": int(c), "characters": len(t)}
            for ids, c, t in zip(coded, classes, texts)]


def collate(examples: Sequence[Example], device: str | torch.device = "cpu") -> Batch:
    """Pad examples on the right into int64 tensors of shape (batch, longest).

    ``attention_mask`` is 1 where a row has a token.  Padded positions get the label
    ``IGNORED`` because of where they are, never because of which token stands
    there: a real end of text keeps its label even if the padding uses the same id.
    """
    longest = max(len(e["input_ids"]) for e in examples)

    def padded(rows: list[list[int]], filler: int) -> torch.Tensor:
        full = [[*row, *[filler] * (longest - len(row))] for row in rows]
        return torch.tensor(full, dtype=torch.long, device=device)

    ids = [e["input_ids"] for e in examples]
    batch = {
        "input_ids": padded(ids, 0),  # any id will do: no loss and no attention sees it
        "attention_mask": padded([[1] * len(row) for row in ids], 0),
    }
    labels = [e["labels"] for e in examples]
    if isinstance(labels[0], int):
        batch["labels"] = torch.tensor(labels, dtype=torch.long, device=device)
    else:
        batch["labels"] = padded(labels, IGNORED)
    return batch


def order(n: int, seed: int, epoch: int) -> list[int]:
    """The order of ``n`` examples in an epoch: a permutation drawn from seed and epoch alone."""
    generator = torch.Generator().manual_seed(seed * 1_000_003 + epoch)
    return torch.randperm(n, generator=generator).tolist()


def in_batches(items: Sequence, size: int) -> Iterator[Sequence]:
    """Consecutive runs of ``size`` items; the last may be shorter."""
    for at in range(0, len(items), size):
        yield items[at : at + size]


def end_of_text(tokenizer) -> int:
    """The id of the token that stands between documents."""
    for token in (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.sep_token_id):
        if token is not None:
            return token
    raise ValueError("This tokenizer has no end-of-text token (eos, bos and sep are all unset). "
                     "Set one: tokenizer.eos_token = '...'")


def _refuse_wrong_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise TypeError("A list of texts is needed, and one string was given; write [text].")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"Text number {i} is a {type(text).__name__}; each text must be a str.")
