"""From text to examples: windows of documents, prompts with completions, texts with a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from lmtune.arguments import is_whole, whole
from lmtune.data.kinds import IGNORED, Example

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase


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
    _refuse_wrong_texts(texts)
    if not tokenizer.is_fast:
        raise ValueError(
            f"{type(tokenizer).__name__} does not tell where its tokens begin in the text, "
            "which bits per character need; load a fast tokenizer (AutoTokenizer's default)."
        )
    if len(texts) == 0:
        return []
    ends = start_of_text(tokenizer), end_of_text(tokenizer)
    coded = tokenizer(list(texts), add_special_tokens=False, return_attention_mask=False, verbose=False)
    return [_cut(text, encoding, ends, context, overlap) for text, encoding in zip(texts, coded.encodings)]


def _cut(text: str, encoding: Encoding, ends: tuple[int, int], context: int, overlap: int) -> list[Example]:
    """The windows of one document; ``ends`` are the tokens that start and end it."""
    row, begins = [ends[0], *encoding.ids, ends[1]], _Begins(text, encoding)
    examples: list[Example] = []
    start, known = 0, 1
    while known < len(row):
        stop = min(start + context, len(row))
        examples.append(
            {
                "input_ids": row[start:stop],
                "labels": [IGNORED] * (known - start) + row[known:stop],
                "characters": begins[stop] - begins[known],
            }
        )
        start, known = stop - max(1, overlap), stop
    return examples


class _Begins:
    """Where each token of a row begins in its text: differences are exact even where several tokens
    share one character.  Asked for at the borders of windows alone, since all of them take much memory."""

    def __init__(self, text: str, encoding: Encoding):
        self.text, self.encoding, self.tokens = text, encoding, len(encoding.ids)

    def __getitem__(self, place: int) -> int:
        """Of place 0, the token that starts a text, and of the first one it is 0; behind the last one, all of it."""
        if place <= 1:
            return 0
        return len(self.text) if place > self.tokens else self.encoding.token_to_chars(place - 1)[0]  # type: ignore[index]  # none is a special token


def pairs(
    prompts: Sequence[str],
    completions: Sequence[str],
    tokenizer: PreTrainedTokenizerBase,
    context: int | None = None,
    encoder_decoder: bool = False,
) -> list[Example]:
    """Examples whose loss counts the completion and not the prompt.

    A row is: start-of-text token, prompt, completion, end-of-text token.  Where it is
    longer than ``context`` the *prompt* loses its tokens from the left; a completion
    that does not fit alone is refused.

    For an ``encoder_decoder`` (T5, BART) prompt and completion are two rows, each with the tokenizer's own
    special tokens and each of at most ``context`` tokens: the encoder reads the first, the decoder writes the second.
    """
    _refuse_wrong_texts(prompts)
    _refuse_wrong_texts(completions)
    if len(prompts) != len(completions):
        raise ValueError(
            f"There are {len(prompts)} prompts and {len(completions)} completions; give one completion for each prompt."
        )
    context = _context(context, tokenizer)
    row = _two_rows if encoder_decoder else _one_row
    return [row(prompt, completion, tokenizer, context) for prompt, completion in zip(prompts, completions)]


def _one_row(prompt: str, completion: str, tokenizer: PreTrainedTokenizerBase, context: int) -> Example:
    asked = tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
    answer = [*tokenizer(completion, add_special_tokens=False, verbose=False)["input_ids"], end_of_text(tokenizer)]
    room = context - len(answer) - 1
    _refuse_long_completion(room < 0, completion, len(answer), context)
    asked = asked[max(0, len(asked) - room) :]
    return {
        "input_ids": [start_of_text(tokenizer), *asked, *answer],
        "labels": [IGNORED] * (1 + len(asked)) + answer,
        "characters": len(completion),
    }


def _two_rows(prompt: str, completion: str, tokenizer: PreTrainedTokenizerBase, context: int) -> Example:
    asked, answer = (tokenizer(text, verbose=False)["input_ids"] for text in (prompt, completion))
    _refuse_long_completion(len(answer) > context, completion, len(answer), context)
    return {
        "input_ids": asked[max(0, len(asked) - context) :],
        "labels": answer,
        "characters": len(completion),
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
    _refuse_wrong_texts(texts)
    if len(texts) != len(classes):
        raise ValueError(f"There are {len(texts)} texts and {len(classes)} classes; give one class for each text.")
    for i, c in enumerate(classes):
        if not is_whole(c) or c < 0:
            raise TypeError(f"Class number {i} is {c!r}; each class must be a whole number from 0.")
    if len(texts) == 0:
        return []
    context = _context(context, tokenizer)
    start_id = start_of_text(tokenizer)
    last = [] if tokenizer.sep_token_id is None else [tokenizer.sep_token_id]
    coded = tokenizer(list(texts), add_special_tokens=False, verbose=False)["input_ids"]
    return [
        {"input_ids": [start_id, *ids][: context - len(last)] + last, "labels": int(c), "characters": len(t)}
        for ids, c, t in zip(coded, classes, texts)
    ]


def start_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id of the token that leads a document: beginning of text, classification, else end of text."""
    token: int | None
    for token in (tokenizer.bos_token_id, tokenizer.cls_token_id):
        if token is not None:
            return token
    return end_of_text(tokenizer)


def end_of_text(tokenizer: PreTrainedTokenizerBase) -> int:
    """The id of the token that ends a document."""
    token: int | None
    for token in (tokenizer.eos_token_id, tokenizer.bos_token_id, tokenizer.sep_token_id):
        if token is not None:
            return token
    raise ValueError(
        "This tokenizer has no end-of-text token (eos, bos and sep are all unset). Set one: tokenizer.eos_token = '...'"
    )


def _context(context: int | None, tokenizer: PreTrainedTokenizerBase) -> int:
    context = tokenizer.model_max_length if context is None else context
    return whole("context", context, 2, 1_000_000, "tokens, as many as the model reads at once")


def _refuse_wrong_texts(texts: Sequence[str]) -> None:
    if isinstance(texts, str):
        raise TypeError("A list of texts is needed, and one string was given; write [text].")
    for i, text in enumerate(texts):
        if not isinstance(text, str):
            raise TypeError(f"Text number {i} is a {type(text).__name__}; each text must be a str.")
