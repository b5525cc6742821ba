"""One split of the documents for every task, and the removal of near-duplicates.

Documentation repeats itself.  A document of the train part that nearly repeats
one of validation or test would turn the test into a memory test, so it is
dropped from train.
"""

from __future__ import annotations

import hashlib
import zlib
from collections import Counter
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

import numpy as np

from lmtune.data.docstrings import Document

#: Words in a shingle (Broder 1997, "On the resemblance and containment of documents").
SHINGLE_WORDS = 5
#: A document repeats another when more than this share of its shingles stands there.
NEAR_DUPLICATE = 0.5


class Splits(NamedTuple):
    """Train, validation and test; each a list."""

    train: list[Any]
    validation: list[Any]
    test: list[Any]


def part_of(document: Document) -> str:
    """``"train"``, ``"validation"`` or ``"test"`` (80 / 10 / 10).

    Decided by a BLAKE2 hash of ``package:qualified_name`` alone, so it never
    depends on what else is installed or on the order of anything.
    """
    key = f"{document.package}:{document.name}".encode()
    bucket = int.from_bytes(hashlib.blake2b(key, digest_size=8).digest(), "big") % 10
    return "validation" if bucket == 8 else "test" if bucket == 9 else "train"


def split(documents: Iterable[Document]) -> Splits:
    """Split documents into train, validation and test.

    A train document is dropped when it and one document of validation or test
    share more than half of the five-word shingles of either.
    """
    parts = Splits([], [], [])
    for document in documents:
        getattr(parts, part_of(document)).append(document)
    repeats = repeating([d.text for d in parts.train], [d.text for d in parts.validation + parts.test])
    train = [d for d, again in zip(parts.train, repeats) if not again]
    return Splits(train, parts.validation, parts.test)


def shingles(text: str) -> np.ndarray:
    """The distinct five-word shingles of ``text`` as sorted uint64 hashes.

    A text of fewer than five words is one shingle.
    """
    words = np.array([zlib.crc32(w.encode()) for w in text.lower().split()], dtype=np.uint64)
    n = max(1, len(words) - SHINGLE_WORDS + 1)
    value = np.zeros(n, dtype=np.uint64)
    for i in range(min(SHINGLE_WORDS, len(words))):
        value = value * np.uint64(0x9E3779B97F4A7C15) + words[i : i + n] + np.uint64(1)
    return np.unique(value)


def repeating(texts: Sequence[str], references: Sequence[str]) -> list[bool]:
    """For each text: does it nearly repeat one of the references?"""
    index: dict[int, list[int]] = {}
    sizes = []
    for i, reference in enumerate(references):
        marks = shingles(reference)
        sizes.append(len(marks))
        for mark in marks.tolist():
            index.setdefault(mark, []).append(i)
    result = []
    for text in texts:
        marks = shingles(text)
        shared: Counter[int] = Counter()
        for mark in marks.tolist():
            shared.update(index.get(mark, ()))
        result.append(any(n > NEAR_DUPLICATE * min(len(marks), sizes[i]) for i, n in shared.items()))
    return result


def containment(text: str, corpus_shingles: np.ndarray) -> float:
    """The share of the text's shingles that occur in a corpus (sorted uint64 hashes)."""
    marks = shingles(text)
    if len(corpus_shingles) == 0:
        return 0.0
    at = np.searchsorted(corpus_shingles, marks)
    at[at == len(corpus_shingles)] = 0
    return float((corpus_shingles[at] == marks).mean())
