"""Text larger than memory: tokenized rows on disk, made once, a piece at a time, in several processes.

Each piece of a file becomes one Arrow file, written whole or not at all; together they are a
``datasets.Dataset`` that is mapped into memory and never read as a whole.  A second start finds the pieces,
and a kill loses those alone that were being written.
"""

from __future__ import annotations

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple, cast

import numpy
from tqdm.auto import tqdm

from lmtune.bars import shown
from lmtune.data.batches import in_batches
from lmtune.data.docstrings import cache_folder
from lmtune.data.examples import pairs, windows_of_each
from lmtune.data.kinds import Example
from lmtune.data.packing import pack
from lmtune.data.text_files import Document, Pair, Piece, content_hash, files_of, kind_of_document, pieces

if TYPE_CHECKING:
    import datasets
    import pyarrow

#: Part of what rows are known by: counts up when they are made in another way.
FORMAT = 2
#: Bytes of text from which on several processes share the work; starting them takes seconds.
SHARED = 16_000_000
#: Characters of documents that are tokenized together.
TOGETHER = 500_000
#: Rows that are packed together.
PACKED_TOGETHER = 20_000
#: Characters that are held out at most: a look at them takes time at every evaluation.
HELD_OUT = 1_000_000


class Rows(NamedTuple):
    """Training rows on disk, and the held-out ones in memory."""

    train: datasets.Dataset
    held_out: list[Example]
    repeated: int  #: training rows that are left out because they stand in the held-out part too


@dataclass(frozen=True)
class Recipe:
    """How documents become rows; it is sent to the processes that make them."""

    tokenizer: Any
    context: int
    encoder_decoder: bool = False

    def rows_of_each(self, documents: Sequence[Document]) -> list[list[Example]]:
        """The rows of each of some documents of one kind."""
        alike: Any = documents  # all as the first
        if self.encoder_decoder and not isinstance(documents[0], Pair):
            raise ValueError(
                "The model writes with a decoder what an encoder has read, so it learns from pairs; give a .jsonl file "
                "with prompt and completion."
            )
        if isinstance(documents[0], Pair):
            prompts, completions = [d.prompt for d in alike], [d.completion for d in alike]
            return [[row] for row in pairs(prompts, completions, self.tokenizer, self.context, self.encoder_decoder)]
        return windows_of_each(alike, self.tokenizer, self.context)

    def rows(self, documents: Sequence[Document]) -> list[Example]:
        """The rows of all documents."""
        # A few hundred at a time: what a tokenizer says of a text takes far more memory than its tokens.
        return [row for some in in_batches(documents, 200) for made in self.rows_of_each(some) for row in made]

    def digest(self) -> str:
        """What the rows of a text are known by, besides the text: the tokenizer, whole, and the context."""
        tokenizer = self.tokenizer
        said = [
            FORMAT,
            self.context,
            self.encoder_decoder,
            tokenizer.special_tokens_map,
            len(tokenizer),
            tokenizer.backend_tokenizer.to_str(),
        ]
        return hashlib.blake2b(json.dumps(said, default=str).encode(), digest_size=16).hexdigest()


def rows_on_disk(
    source: str | Path,
    recipe: Recipe,
    share: float,
    avoid: Sequence[Example] = (),
    *,
    say: Callable[[str], None] = print,
    progress: bool = True,
) -> Rows:
    """Tokenize the text of a file or folder unless that is done already, and hold ``share`` of it out.

    Kept in the user's cache folder, and found again by the files' paths, sizes and times, the tokenizer and
    the context.  Held out are the documents with the least hash of their content, as
    :func:`~lmtune.data.text_files.hold_out` does, :data:`HELD_OUT` characters at most.  Rows that stand among
    them, or among ``avoid``, are left out of training.
    """
    files = files_of(source)
    wanted = [piece for path in files for piece in pieces(path)]
    stamps = [(str(path.resolve()), path.stat().st_size, path.stat().st_mtime_ns) for path in files]
    known = hashlib.blake2b(json.dumps([recipe.digest(), stamps]).encode(), digest_size=16).hexdigest()
    folder = cache_folder() / "rows" / known
    folder.mkdir(parents=True, exist_ok=True)
    _make(wanted, recipe, folder, say, progress)
    return _parted(_together(wanted, folder, source), share, [_hash(row) for row in avoid], known)


def _make(wanted: Sequence[Piece], recipe: Recipe, folder: Path, say: Callable[[str], None], progress: bool) -> None:
    """Write the pieces that are missing."""
    for left in folder.glob("*.part"):  # by a kill
        if time.time() - left.stat().st_mtime > 3600:
            left.unlink(missing_ok=True)
    missing = [(i, piece) for i, piece in enumerate(wanted) if not _file(folder, i).is_file()]
    if not missing:
        return
    size = sum(piece.end - piece.begin for _, piece in missing)
    workers = max(1, min(os.cpu_count() or 1, len(missing))) if size >= SHARED else 1
    say(f"tokenizing {size / 1e6:,.0f} MB of text in {workers} process(es); the tokens are kept in {folder}")
    jobs = [(piece, _file(folder, i), recipe) for i, piece in missing]
    with tqdm(total=size, desc="tokenize", unit="B", unit_scale=True, leave=False, **shown(progress)) as bar:
        for piece in _done(jobs, workers):
            bar.update(piece.end - piece.begin)


def _done(jobs: Sequence[tuple[Piece, Path, Recipe]], workers: int) -> Iterator[Piece]:
    """Write pieces, and yield each when it is written."""
    if workers == 1:
        for job in jobs:
            write_piece(*job)
            yield job[0]
        return
    # Fresh processes: one that is forked from a process with threads may wait for ever.
    with ProcessPoolExecutor(workers, get_context("spawn"), initializer=_one_thread) as pool:
        waiting = {pool.submit(write_piece, *job): job[0] for job in jobs}
        try:
            for done in as_completed(waiting):
                done.result()
                yield waiting[done]
        except BaseException:
            pool.shutdown(cancel_futures=True)
            raise


def _one_thread() -> None:
    """Each of several processes has a processor of its own."""
    os.environ["TOKENIZERS_PARALLELISM"] = "false"


def write_piece(piece: Piece, path: Path, recipe: Recipe) -> None:
    """Tokenize one piece of a file and write its rows; the file appears when it is complete."""
    import pyarrow as pa

    part, writer, kind = path.with_suffix(f".{os.getpid()}.part"), None, ""  # nobody else's, where two runs begin
    with pa.OSFile(str(part), "wb") as file:
        for documents in _some_together(piece.documents()):
            table = _table(documents, recipe)
            kind = kind or kind_of_document(documents[0])
            if writer is None:
                writer = pa.ipc.new_stream(file, table.schema.with_metadata({"kind": kind}))
            writer.write_table(table)
        if writer is None:
            writer = pa.ipc.new_stream(file, pa.schema([]))  # nothing but blanks
        writer.close()
    os.replace(part, path)


def _some_together(documents: Iterator[Document]) -> Iterator[list[Document]]:
    """Lists of documents of about :data:`TOGETHER` characters: tokens are counted by size, not by document."""
    some: list[Document] = []
    size = 0
    for document in documents:
        some.append(document)
        size += len(document) if isinstance(document, str) else len(document.prompt) + len(document.completion)
        if size >= TOGETHER:
            yield some
            some, size = [], 0
    if some:
        yield some


def _table(documents: Sequence[Document], recipe: Recipe) -> pyarrow.Table:
    """Rows as columns, each with the hash of its document and of its own ids."""
    import pyarrow as pa

    rows, of_document = [], []
    for some in in_batches(documents, 200):
        for document, made in zip(some, recipe.rows_of_each(some)):
            rows += made
            of_document += [int.from_bytes(content_hash(document), "big", signed=True)] * len(made)
    small = pa.list_(pa.int16() if len(recipe.tokenizer) < 2**15 else pa.int32())
    columns: dict[str, Any] = {
        "input_ids": pa.array([row["input_ids"] for row in rows], small),
        "labels": pa.array([row["labels"] for row in rows], small),
        "characters": pa.array([row["characters"] for row in rows], pa.int32()),
    }
    if recipe.encoder_decoder:
        columns["sequence_to_sequence"] = pa.array([True] * len(rows))
    columns["document"] = pa.array(of_document, pa.int64())
    columns["row"] = pa.array([_hash(row) for row in rows], pa.int64())
    return pa.table(columns)


def _hash(row: Example) -> int:
    numbers = numpy.asarray(row["input_ids"], numpy.int64).tobytes()
    if row.get("sequence_to_sequence"):
        numbers += b"/" + numpy.asarray(row["labels"], numpy.int64).tobytes()
    return int.from_bytes(hashlib.blake2b(numbers, digest_size=8).digest(), "big", signed=True)


def _file(folder: Path, number: int) -> Path:
    return folder / f"{number:05d}.arrow"


def _together(wanted: Sequence[Piece], folder: Path, source: str | Path) -> datasets.Dataset:
    import datasets
    import pyarrow as pa

    parts: list[datasets.Dataset] = []
    kinds: dict[str, Path] = {}
    for i, piece in enumerate(wanted):
        with pa.memory_map(str(_file(folder, i))) as mapped:
            metadata = pa.ipc.open_stream(mapped).schema.metadata or {}
        if b"kind" in metadata:
            kinds.setdefault(metadata[b"kind"].decode(), piece.path)
            parts.append(datasets.Dataset.from_file(str(_file(folder, i))))
    if not parts:
        raise ValueError(f"{source} holds no text: every document in it is empty or blank.")
    if len(kinds) > 1:
        (first, path), (other, another) = list(kinds.items())[:2]
        raise ValueError(f"{another} holds {other} and {path} {first}; give one kind at a time.")
    return datasets.concatenate_datasets(parts)


def _parted(rows: datasets.Dataset, share: float, avoid: Sequence[int], known: str) -> Rows:
    """Set the documents with the least hash apart, and take out of the rest what stands in them too."""

    def column(name: str) -> numpy.ndarray:
        return numpy.concatenate([chunk.to_numpy() for chunk in rows.data.column(name).chunks])

    documents, of_rows = column("document").view(numpy.uint64), column("row")  # unsigned: as the bytes are ordered
    out = numpy.zeros(len(rows), bool)
    if share:
        different, place = numpy.unique(documents, return_inverse=True)
        sizes = numpy.bincount(place, column("characters")).cumsum()
        count = min(max(1, round(share * len(different))), max(1, int((sizes <= HELD_OUT).sum())))
        out = place < count
    again = numpy.isin(of_rows, [*of_rows[out], *avoid]) & ~out
    wanted = rows.select_columns([c for c in rows.column_names if c not in ("document", "row")])
    train = wanted.select(numpy.flatnonzero(~out & ~again))
    train._fingerprint = f"{known}-{out.sum()}-{len(avoid)}"  # the same in every process, on every day
    return Rows(train, list(wanted.select(numpy.flatnonzero(out))), int(again.sum()))


def packed_on_disk(train: datasets.Dataset, context: int, folder: Path) -> datasets.Dataset:
    """The rows packed, some thousands at a time, and kept in ``folder``."""
    known = f"{train._fingerprint}-packed-{context}"

    def packed(columns: dict[str, list[Any]]) -> dict[str, list[Any]]:
        given = [dict(zip(columns, values)) for values in zip(*columns.values())]
        rows: list[Any] = pack(cast("list[Example]", given), context)
        return {name: [row[name] for row in rows] for name in (*columns, "documents")}

    folder.mkdir(parents=True, exist_ok=True)
    made = train.map(
        packed,
        batched=True,
        batch_size=PACKED_TOGETHER,
        remove_columns=train.column_names,
        desc="pack",
        cache_file_name=str(folder / f"{hashlib.blake2b(known.encode(), digest_size=16).hexdigest()}.arrow"),
    )
    made._fingerprint = known
    return made
