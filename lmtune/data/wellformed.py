"""Whether examples are what they should be: well formed, within the model's reach, not in two parts at once.

:func:`examine` reads each example once and says all that a run needs to know of them before its first
update.  A data set on disk is not read then: each of its rows is judged when it is fetched.
"""

from __future__ import annotations

import hashlib
import itertools
from array import array
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, NamedTuple, TypeGuard

import numpy

from lmtune.data.kinds import CLASS, IGNORED, NEXT_TOKEN, SEQUENCE_TO_SEQUENCE, Example, Kind, kind_of
from lmtune.data.reach import Reach

if TYPE_CHECKING:
    import datasets

_REMEDY = "make examples from texts with lmtune.windows, lmtune.pairs or lmtune.labelled."


class Row(NamedTuple):
    """A row that was judged: its numbers as bytes."""

    ids: bytes
    labels: bytes
    documents: list[bytes]  #: what each document in it is known by


@dataclass(frozen=True)
class Summary:
    """What :func:`examine` found; of a data set on disk ``labels`` and ``characters`` are not known."""

    kind: Kind
    rows: int
    digest: str  #: of what the examples say and of their order
    labels: int | None = None  #: that a loss counts in all of them
    characters: int | None = None  #: that the labels spell
    packed: tuple[Example, ...] = ()  #: of packed rows: one of several documents, and the longest document alone
    repeated: int = 0  #: examples of which something stands among what was to be avoided
    documents: frozenset[bytes] = frozenset()  #: what the documents are known by


def on_disk(examples: Any) -> TypeGuard[datasets.Dataset]:
    """Whether examples are a data set of the ``datasets`` library, which is not read before it is used."""
    return hasattr(examples, "_fingerprint") and hasattr(examples, "__getitems__")


def examine(examples: Sequence[Example], reach: Reach, avoid: Collection[bytes] = ()) -> Summary:
    """Read each example once; count those of which a document is among ``avoid``.

    Raises ``TypeError`` and ``ValueError`` for the first example that is malformed or that the model cannot
    read, with its number.  Of a data set on disk only the first row is read.
    """
    first = examples[0]
    judge = Judge(first, reach)
    if on_disk(examples):
        judge.row(0, first)
        known = f"{examples._fingerprint}, {len(examples)} rows"
        return Summary(judge.kind, len(examples), known, packed=_packed_on_disk(examples, first))
    digest, labels, characters, repeated, packed = hashlib.blake2b(digest_size=16), 0, 0, 0, _Packed()
    documents: set[bytes] = set()
    for i, example in enumerate(examples):
        row = judge.row(i, example)
        digest.update(row.ids + b"/" + row.labels + b";")
        labels += judge.kind.labels(example)
        characters += example["characters"]
        packed.note(example)
        repeated += any(document in avoid for document in row.documents)
        documents.update(row.documents)
    return Summary(
        judge.kind,
        len(examples),
        digest.hexdigest(),
        labels,
        characters,
        packed.to_try(),
        repeated,
        frozenset(documents),
    )


class _Packed:
    """Which packed rows a model has to be tried on: what holds for one need not hold for a longer document."""

    def __init__(self) -> None:
        self.several: Example | None = None
        self.longest: Example | None = None

    def note(self, example: Example) -> None:
        if "documents" not in example:
            return
        lengths = example["documents"]
        if self.several is None and len(lengths) > 1:
            self.several = example
        if self.longest is None or max(lengths) > len(self.longest["input_ids"]):
            begin = sum(lengths[: lengths.index(max(lengths))])
            self.longest = _one_document(example["input_ids"][begin : begin + max(lengths)])

    def to_try(self) -> tuple[Example, ...]:
        return tuple(row for row in (self.several, self.longest) if row)


def _one_document(ids: list[int]) -> Example:
    return {"input_ids": ids, "labels": list(ids), "characters": 0, "documents": [len(ids)]}


def _packed_on_disk(examples: datasets.Dataset, first: Example) -> tuple[Example, ...]:
    """As :class:`_Packed` finds them; of the longest document on disk only the length is looked up."""
    if "documents" not in first:
        return ()
    import pyarrow.compute

    lengths = pyarrow.compute.list_flatten(examples.data.column("documents"))
    longest, ids = pyarrow.compute.max(lengths).as_py(), first["input_ids"]
    return first, _one_document((ids * (longest // len(ids) + 1))[:longest])


def disjoint(examples: Sequence[Example], others: Sequence[Example]) -> list[Example]:
    """The examples of which nothing stands, token for token, among the others."""
    seen = {document for e in others for document in _known_by(e)}
    return [e for e in examples if not any(document in seen for document in _known_by(e))]


class Judge:
    """Refuses rows that are malformed, of another kind than the first, or beyond the model's reach.

    Without it a GPU would only say that a device-side assertion failed.
    """

    def __init__(self, first: Example, reach: Reach):
        _refuse_no_example(0, first)
        self.first, self.kind, self.reach = first, kind_of(first), reach
        wanted = SEQUENCE_TO_SEQUENCE if reach.decoder else NEXT_TOKEN
        if self.kind is not CLASS and self.kind is not wanted:
            raise ValueError(
                f"The examples are {self.kind.name} and the model reads {wanted.name}; make them with {wanted.maker}."
            )

    def row(self, i: int, example: Example) -> Row:
        """Example number ``i``, judged; ``TypeError`` or ``ValueError`` with its number where it is wrong."""
        _refuse_no_example(i, example)
        ids, labels = _numbers(i, example["input_ids"]), _labels(i, example["labels"])
        kind = kind_of(example)
        if kind is not self.kind:
            raise TypeError(
                f"Example number {i} has the labels {str(example['labels'])[:60]} and example number 0 is "
                f"of the other kind; give either {self.kind.name} or {kind.name}."
            )
        self._refuse_numbers(i, example, numpy.frombuffer(ids, numpy.int64), numpy.frombuffer(labels, numpy.int64))
        return Row(ids.tobytes(), labels.tobytes(), _documents(example, ids))

    def _refuse_numbers(self, i: int, example: Example, ids: numpy.ndarray, labels: numpy.ndarray) -> None:
        """Numbers that cannot be: ids and labels of one row, int64 of shape (tokens,)."""
        if self.kind is not CLASS:
            odd = self.kind is NEXT_TOKEN and len(labels) != len(ids)
            if odd or ids.min() < 0 or ((labels < 0) & (labels != IGNORED)).any():
                raise ValueError(
                    f"Example number {i} has {len(ids)} tokens and the labels {str(example['labels'])[:60]}; there "
                    f"must be a label for each token, no id below 0, and {IGNORED} where a label is ignored."
                )
        elif ids.min() < 0:
            raise ValueError(f"Example number {i} has the token id {ids.min()}; ids are counted from 0.")
        if sum(example.get("documents") or [len(ids)]) != len(ids):
            raise ValueError(
                f"Example number {i} has {len(ids)} tokens and its documents {example['documents']}; pack "
                "examples with lmtune.pack."
            )
        self._refuse_beyond_reach(i, ids, labels)

    def _refuse_beyond_reach(self, i: int, ids: numpy.ndarray, labels: numpy.ndarray) -> None:
        reach, most = self.reach, ids.max()
        if self.kind is not CLASS:
            most = max(most, labels.max())
        elif reach.classes is not None and labels[0] >= reach.classes:
            raise ValueError(
                f"Example number {i} has the class {labels[0]} and the classifier has {reach.classes}, counted from 0."
            )
        if reach.written is not None and len(labels) > reach.written:
            raise ValueError(
                f"Example number {i} has {len(labels)} labels and the decoder writes at most {reach.written}; make "
                f"the examples with context={reach.written} or less."
            )
        if reach.positions is not None and len(ids) > reach.positions:
            raise ValueError(
                f"Example number {i} has {len(ids)} tokens and the model reads at most {reach.positions}; make "
                f"the examples with context={reach.positions} or less."
            )
        if reach.vocabulary is not None and most >= reach.vocabulary:
            raise ValueError(
                f"Example number {i} has the token id {most} and the model knows {reach.vocabulary}; use the "
                "tokenizer that came with the model."
            )


def _refuse_no_example(i: int, example: Any) -> None:
    """An example made by hand may be anything."""
    if not isinstance(example, dict) or not {"input_ids", "labels", "characters"} <= set(example):
        raise TypeError(
            f"Example number {i} is {str(example)[:60]!r}, not a dict of input_ids, labels and characters; {_REMEDY}"
        )


def _numbers(i: int, row: Any) -> array[int]:
    try:
        numbers = array("q", row if isinstance(row, list) else [])
    except (TypeError, OverflowError):
        numbers = array("q")
    if not numbers:
        raise TypeError(f"Example number {i} has {str(row)[:60]} where a list of token ids belongs; {_REMEDY}")
    return numbers


def _labels(i: int, labels: Any) -> array[int]:
    if isinstance(labels, list):
        return _numbers(i, labels)
    if not isinstance(labels, int) or labels < 0 and labels != IGNORED:
        raise TypeError(
            f"Example number {i} has the labels {str(labels)[:60]}; give a list with a label for each "
            f"token, or a class, a whole number from 0; {_REMEDY}"
        )
    return array("q", [labels])


def _known_by(example: Example) -> list[bytes]:
    return _documents(example, array("q", example["input_ids"]))


def _documents(example: Example, ids: array[int]) -> list[bytes]:
    """What an example is known by, or each document that is packed in it: its token ids."""
    ends = list(itertools.accumulate(example.get("documents") or [len(ids)]))
    found = [ids[a:b].tobytes() for a, b in zip([0, *ends], ends)]
    if kind_of(example) is SEQUENCE_TO_SEQUENCE:
        found = [found[0] + b"/" + array("q", example["labels"]).tobytes()]
    return found
