"""How many characters of a text its tokens spell: what bits per character are counted over."""

from __future__ import annotations

from itertools import accumulate
from typing import TYPE_CHECKING
from weakref import WeakKeyDictionary

if TYPE_CHECKING:
    from tokenizers import Encoding
    from transformers import PreTrainedTokenizerBase


#: What :func:`spells_everything` has found; it is asked for each text.
_FOUND: WeakKeyDictionary[PreTrainedTokenizerBase, bool] = WeakKeyDictionary()


class Spelled:
    """The characters of one text that its tokens spell, counted between places of its row.

    Place 0 is the token that starts the text, place 1 its first one, and behind the last one stands the
    token that ends it.  Differences are exact even where several tokens share one character.
    """

    def __init__(self, text: str, encoding: Encoding, tokenizer: PreTrainedTokenizerBase):
        self._text, self._encoding, self._tokens = text, encoding, len(encoding.ids)
        self._unspelled = None if spells_everything(tokenizer) else _unspelled(text, encoding, tokenizer)

    def before(self, place: int) -> int:
        """Characters that are spelled before the token at a place begins."""
        return self._until(self._begin(place))

    def between(self, begin: int, end: int) -> int:
        """Characters that are spelled from character ``begin`` up to ``end`` of the text."""
        return self._until(end) - self._until(begin)

    def _until(self, character: int) -> int:
        return character - (self._unspelled[character] if self._unspelled else 0)

    def _begin(self, place: int) -> int:
        """Asked for at the borders of windows alone, since all offsets take much memory."""
        if place <= 1:
            return 0
        if place > self._tokens:
            return len(self._text)
        begin: int = self._encoding.token_to_chars(place - 1)[0]  # type: ignore[index]  # none is a special token
        return begin


def spells_everything(tokenizer: PreTrainedTokenizerBase) -> bool:
    """Whether a tokenizer has a token for every byte, so that no text is left out."""
    if tokenizer not in _FOUND:
        _FOUND[tokenizer] = _has_all_bytes(tokenizer)
    return _FOUND[tokenizer]


def _has_all_bytes(tokenizer: PreTrainedTokenizerBase) -> bool:
    from tokenizers.pre_tokenizers import ByteLevel

    backend = tokenizer.backend_tokenizer
    if getattr(backend.model, "byte_fallback", False):
        wanted = [f"<0x{byte:02X}>" for byte in range(256)]
    elif "ByteLevel" in repr(backend.pre_tokenizer):
        wanted = ByteLevel.alphabet()
    else:
        return False
    vocabulary = tokenizer.get_vocab()
    return all(symbol in vocabulary for symbol in wanted)


def _unspelled(text: str, encoding: Encoding, tokenizer: PreTrainedTokenizerBase) -> list[int] | None:
    """How many characters before each place of the text no token spells; None where every one is spelled.

    A token for what is unknown stands for characters and spells none.
    """
    spelled = bytearray(len(text))
    for token, (begin, end) in zip(encoding.ids, encoding.offsets):
        if token != tokenizer.unk_token_id:
            spelled[begin:end] = b"\1" * (end - begin)
    return None if all(spelled) else [0, *accumulate(1 - flag for flag in spelled)]
