"""The tokens that begin and end a text: one rule for rows, for generation and for what is exported."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from transformers import PreTrainedTokenizerBase


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


def without_start(text: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """A text without the token that leads it, where that is written out, as chat templates do."""
    return text.removeprefix(_written(start_of_text(tokenizer), tokenizer))


def without_end(text: str, tokenizer: PreTrainedTokenizerBase) -> str:
    """A text without the token that ends it, where that is written out."""
    return text.removesuffix(_written(end_of_text(tokenizer), tokenizer))


def _written(token: int, tokenizer: PreTrainedTokenizerBase) -> str:
    return str(tokenizer.convert_ids_to_tokens(token))
