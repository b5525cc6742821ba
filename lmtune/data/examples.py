"""From text to examples: windows of documents, prompts with completions, texts with a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lmtune.arguments import is_whole, refuse_wrong_texts, whole
from lmtune.data.kinds import IGNORED, Example
from lmtune.data.special_tokens import end_of_text, start_of_text, without_end, without_start
from lmtune.data.spelling import Spelled

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase


#: Characters that a token has at most, on average over a context: what lies beyond is cut off before it is coded.
_LONGEST = 200


def windows(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, context: int | None = None, overlap: int = 0
) -> list[Example]:
    """Cut documents into windows of at most ``context`` tokens for language modelling.

    Each document becomes: the token that starts a text, its tokens, the end-of-text
    token (for GPT-2 the first and the last are the same).  A document longer than a
    window goes on in the next one, and each token is a label exactly once.  A later
    window first repeats the last token of the one before, or the last ``overlap``
    tokens, as context without labels.

    ``context`` defaults to the tokenizer's ``model_max_length``.
    """
    return [row for rows in windows_of_each(texts, tokenizer, context, overlap) for row in rows]


def windows_of_each(
    texts: Sequence[str], tokenizer: PreTrainedTokenizerBase, context: int | None = None, overlap: int = 0
) -> list[list[Example]]:
    """The windows of each document, as :func:`windows` makes them."""
    context = _context(context, tokenizer)
    if not 0 <= overlap <= context - 2:
        raise ValueError(f"overlap is {overlap}; it must lie between 0 and context - 2 = {context - 2}.")
    refuse_wrong_texts(texts)
    _refuse_without_offsets(tokenizer)
    if len(texts) == 0:
        return []
    texts = [without_end(without_start(text, tokenizer), tokenizer) for text in texts]
    coded = tokenizer(texts, add_special_tokens=False, return_attention_mask=False, verbose=False)
    ends = start_of_text(tokenizer), end_of_text(tokenizer)
    return [
        _cut([ends[0], *encoding.ids, ends[1]], Spelled(text, encoding, tokenizer), context, overlap)
        for text, encoding in zip(texts, coded.encodings)
    ]


def _cut(row: list[int], spelled: Spelled, context: int, overlap: int) -> list[Example]:
    """The windows of one document, whose row begins and ends with the tokens for that."""
    examples: list[Example] = []
    start, known = 0, 1
    while known < len(row):
        stop = min(start + context, len(row))
        examples.append(
            {
                "input_ids": row[start:stop],
                "labels": [IGNORED] * (known - start) + row[known:stop],
                "characters": spelled.before(stop) - spelled.before(known),
            }
        )
        start, known = stop - max(1, overlap), stop
    return examples


def pairs(
    prompts: Sequence[str],
    completions: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    context: int | None = None,
    encoder_decoder: bool = False,
) -> list[Example]:
    """Examples whose loss counts the completion and not the prompt.

    A row is: start-of-text token, prompt, completion, end-of-text token, each of the two tokens once, also where
    the texts hold them written out.  Its ids decode to prompt and completion as one text, and begin with the ids
    that the prompt has alone wherever the tokenizer allows it, because those are what the model is asked with
    later; a token that reaches over the border is learned.  Where the row is longer than ``context`` the *prompt*
    loses its tokens from the left; a completion that does not fit alone is refused.

    For an ``encoder_decoder`` (T5, BART) prompt and completion are two rows, each with the tokenizer's own
    special tokens and each of at most ``context`` tokens: the encoder reads the first, the decoder writes the second.
    """
    refuse_wrong_texts(prompts)
    refuse_wrong_texts(completions)
    if len(prompts) != len(completions):
        raise ValueError(
            f"There are {len(prompts)} prompts and {len(completions)} completions; give one completion for each prompt."
        )
    context = _context(context, tokenizer)
    _refuse_without_offsets(tokenizer)
    row = _two_rows if encoder_decoder else _one_row
    return [row(prompt, completion, tokenizer, context) for prompt, completion in zip(prompts, completions)]


def _one_row(prompt: str, completion: str, tokenizer: PreTrainedTokenizerBase, context: int) -> Example:
    prompt, completion = without_start(prompt, tokenizer), without_end(completion, tokenizer)
    prompt = prompt[-_LONGEST * context :]  # of a book before a short context the end alone is read
    asked, answer, characters = _continued(prompt, completion, tokenizer)
    answer = [*answer, end_of_text(tokenizer)]
    room = context - len(answer) - 1
    _refuse_long_completion(room < 0, completion, len(answer), context)
    asked = asked[max(0, len(asked) - room) :]
    return {
        "input_ids": [start_of_text(tokenizer), *asked, *answer],
        "labels": [IGNORED] * (1 + len(asked)) + answer,
        "characters": characters,
    }


def _continued(prompt: str, completion: str, tokenizer: PreTrainedTokenizerBase) -> tuple[list[int], list[int], int]:
    """The ids of a prompt, those of the completion behind it, and how many of its characters these spell.

    Coded by itself a completion may begin with a blank that nobody wrote: some tokenizers put one before
    each text.
    """
    alone, together = _coded(prompt, tokenizer), _coded(prompt + completion, tokenizer)
    whole, before = Spelled(prompt + completion, together, tokenizer), Spelled(prompt, alone, tokenizer).all
    asked, characters = alone.ids, whole.all - before
    if together.ids[: len(asked)] == asked:
        return asked, together.ids[len(asked) :], characters
    for lead in ("", "\n"):  # behind a line break no blank is put in
        apart = _coded(lead + completion, tokenizer).ids[len(_coded(lead, tokenizer).ids) :]
        if tokenizer.decode([*asked, *apart]) == tokenizer.decode(together.ids):
            return asked, apart, characters
    border = whole.reaches(before)
    return together.ids[:border], together.ids[border:], characters


def _coded(text: str, tokenizer: PreTrainedTokenizerBase) -> Encoding:
    coded: Encoding = tokenizer([text], add_special_tokens=False, verbose=False).encodings[0]
    return coded


def _two_rows(prompt: str, completion: str, tokenizer: PreTrainedTokenizerBase, context: int) -> Example:
    # Here the tokenizer puts its own tokens around each.
    bare = [without_end(without_start(text, tokenizer), tokenizer) for text in (prompt, completion)]
    asked, answer = (tokenizer(text, verbose=False)["input_ids"] for text in bare)
    _refuse_long_completion(len(answer) > context, completion, len(answer), context)
    return {
        "input_ids": asked[max(0, len(asked) - context) :],
        "labels": answer,
        "characters": Spelled(bare[1], _coded(bare[1], tokenizer), tokenizer).all,
        "sequence_to_sequence": True,
    }


def _refuse_long_completion(wrong: bool, completion: str, tokens: int, context: int) -> None:
    if wrong:
        raise ValueError(
            f"A completion of {tokens} tokens does not fit a context of {context}; shorten it: {completion[:60]!r}..."
        )


def labelled(
    texts: Sequence[str], classes: Sequence[int], tokenizer: PreTrainedTokenizerBase, context: int | None = None
) -> list[Example]:
    """Examples for classification: the first ``context`` tokens of a text and its class (an int).

    A text begins with the tokenizer's beginning-of-text or classification token; where there is a
    separator (BERT), it ends with that.
    """
    refuse_wrong_texts(texts)
    if len(texts) != len(classes):
        raise ValueError(f"There are {len(texts)} texts and {len(classes)} classes; give one class for each text.")
    for i, c in enumerate(classes):
        if not is_whole(c) or c < 0:
            raise TypeError(f"Class number {i} is {c!r}; each class must be a whole number from 0.")
    if len(texts) == 0:
        return []
    context = _context(context, tokenizer)
    start_id = start_of_text(tokenizer)
    bare = [without_end(without_start(text, tokenizer), tokenizer)[: _LONGEST * context] for text in texts]
    last = [] if tokenizer.sep_token_id is None else [tokenizer.sep_token_id]
    coded = tokenizer(bare, add_special_tokens=False, verbose=False)["input_ids"]
    return [
        {"input_ids": [start_id, *ids][: context - len(last)] + last, "labels": int(c), "characters": len(t)}
        for ids, c, t in zip(coded, classes, texts)
    ]


def _context(context: int | None, tokenizer: PreTrainedTokenizerBase) -> int:
    context = tokenizer.model_max_length if context is None else context
    return whole("context", context, 2, 1_000_000, "tokens, as many as the model reads at once")


def _refuse_without_offsets(tokenizer: PreTrainedTokenizerBase) -> None:
    if not tokenizer.is_fast:
        raise ValueError(
            f"{type(tokenizer).__name__} does not tell where its tokens begin in the text, "
            "which bits per character need; load a fast tokenizer (AutoTokenizer's default)."
        )
