"""From text to examples, and from examples to batches.

An *example* is a dict of ``input_ids`` and ``labels`` (lists of token ids) and of
``characters``, the number of characters that its labels spell.  Labels stand at
the position of their own token; the shift by one is :func:`lmtune.training.losses.shifted`
and happens nowhere else.
"""
from __future__ import annotations

import numbers
from typing import Any, Sequence

#: The label of a position that no loss counts (the default of ``torch.nn.functional.cross_entropy``).
IGNORED = -100

#: Token ids, labels and characters of one row: see the top of this module.
Example = dict[str, Any]


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
