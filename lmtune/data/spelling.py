"""How many characters of a text its tokens spell: what bits per character are counted over."""

from __future__ import annotations

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
    token that ends it.
    """

    def __init__(self, text: str, encoding: Encoding, tokenizer: PreTrainedTokenizerBase):
        self._encoding, self._tokens, self.all = encoding, len(encoding.ids), len(text)
        self._counts = None if spells_everything(tokenizer) else _counts(encoding, tokenizer)
        if self._counts:
            self.all = self._counts[-1]

    def before(self, place: int) -> int:
        """How many characters stand before the token at a place.

        Differences are exact even where several tokens share one character.
        """
        if place <= 1:
            return 0
        if place > self._tokens:
            return self.all
        if self._counts:
            return self._counts[place - 1]
        # Asked for at the borders of windows alone, since all offsets take much memory.
        begin: int = self._encoding.token_to_chars(place - 1)[0]  # type: ignore[index]  # none is a special token
        return begin

    def reaches(self, characters: int) -> int:
        """The number of the first token, from 0, that spells more than so many characters with those before it."""
        ends = self._counts[1:] if self._counts else [end for _, end in self._encoding.offsets]
        return next((i for i, end in enumerate(ends) if end > characters), self._tokens)


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


def _counts(encoding: Encoding, tokenizer: PreTrainedTokenizerBase) -> list[int]:
    """How many characters the tokens before each place spell, and all of them.

    A token for what is unknown stands for characters and spells none.  Lengths are added up, because where
    characters are left out the places that are told are not those in the text.
    """
    counts, reached = [0], 0
    for token, (begin, end) in zip(encoding.ids, encoding.offsets):
        spelled = 0 if token == tokenizer.unk_token_id else max(0, end - max(begin, reached))
        counts.append(counts[-1] + spelled)
        reached = max(reached, end)
    return counts
