"""A reader's own text: plain text, JSON lines, folders of both, or documentation (``docs:networkx``).

Files are read a piece at a time (:class:`Piece`), in linear time; whoever wants all documents of small
files at once calls :func:`read`.
"""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, TypeAlias

from lmtune.arguments import BELOW_ONE, finite, refuse_unstorable

#: Files that are read in a folder, in small or capital letters; a single file may have any name.
SUFFIXES = (".txt", ".md", ".rst", ".jsonl", ".ndjson", ".json")
#: Characters of one passage: a longer text is cut where a paragraph ends.
PASSAGE = 20_000
#: Bytes of a file that are read at once.
PIECE = 8_000_000


class Pair(NamedTuple):
    """A prompt and what should follow it."""

    prompt: str
    completion: str


Document: TypeAlias = "str | Pair"
Documents: TypeAlias = "list[str] | list[Pair]"


class Piece(NamedTuple):
    """Bytes of a file from ``begin`` up to ``end``, which are whole lines and, of text, whole paragraphs."""

    path: Path
    begin: int
    end: int

    def documents(self) -> Iterator[Document]:
        """The documents in it; blank ones are left out.

        Raises ``OSError`` for what cannot be read and ``ValueError`` for what is no text, each with the
        file and, for JSON, the line.
        """
        if holds_json_lines(self.path):
            yield from self._json_lines()
        else:
            yield from passages(self._text())

    def _text(self) -> str:
        with self.path.open("rb") as file:
            file.seek(self.begin)
            data = file.read(self.end - self.begin)
        try:
            text = data.decode("utf-8-sig" if self.begin == 0 else "utf-8")
        except UnicodeDecodeError as error:
            line = self._line(data[: error.start].count(b"\n")).rpartition(" line ")[-1]
            raise ValueError(
                f"{self.path} is not text in UTF-8 (byte {self.begin + error.start} is "
                f"{data[error.start]:#04x}, in line {line}). Save it as UTF-8, or leave it out if it is no text."
            ) from None
        if "\0" in text:
            raise ValueError(
                f"{self.path} is no text: it holds zero bytes, the first at character {text.index(chr(0))} of what "
                f"follows byte {self.begin}."
            )
        return text.replace("\r\n", "\n")

    def _json_lines(self) -> Iterator[Document]:
        kind = None
        for number, line in enumerate(self._text().split("\n")):
            if not line.strip():
                continue
            found = _document(line, functools.partial(self._line, number))
            if kind not in (None, type(found)):
                raise ValueError(
                    f"{self._line(number)} holds {kind_of_document(found)} and the lines before it "
                    f"{_NAMES[kind]}; give one kind in a file."
                )
            kind = type(found)
            if isinstance(found, Pair):
                yield found
            else:
                yield from passages(found) if len(found) > 10 * PASSAGE else [found] * bool(found.strip())

    def _line(self, number: int) -> str:
        """File and line of this piece's line ``number``; the lines before the piece are only counted for a message."""
        with self.path.open("rb") as file:
            before = file.read(self.begin).count(b"\n")
        return f"{self.path} line {before + number + 1}"


_NAMES = {str: "texts", Pair: "prompts and completions"}


def kind_of_document(document: Document) -> str:
    """What a document is called in messages."""
    return _NAMES[type(document)]


def read(source: str | Path) -> Documents:
    """The documents of a file or folder: texts, or pairs of prompt and completion.

    A line of a ``.jsonl`` file (:func:`holds_json_lines`) is an object with ``text``, or with ``prompt`` and
    ``completion``; other entries are ignored, and all lines must be of one kind.  Any other file is one text in UTF-8,
    cut into passages of at most :data:`PASSAGE` characters.  Of a folder, files with one of
    :data:`SUFFIXES` are read, in the order of their paths, hidden ones left out.
    """
    documents: list[Any] = []
    for path in files_of(source):
        for piece in pieces(path):
            for found in piece.documents():
                if documents and type(found) is not type(documents[0]):
                    raise ValueError(
                        f"{path} holds {kind_of_document(found)} and what comes before it "
                        f"{kind_of_document(documents[0])}; give one kind at a time."
                    )
                documents.append(found)
    if not documents:
        raise ValueError(f"{source} holds no text: every document in it is empty or blank.")
    return documents


def files_of(source: str | Path) -> list[Path]:
    """The file, or the files of the folder, that :func:`read` reads."""
    source = Path(source).expanduser()
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise FileNotFoundError(
            f"There is no file or folder {source}. Give a text file, a .jsonl file, a folder, or "
            "documentation such as docs:networkx."
        )
    there = sorted(
        p
        for p in source.rglob("*")
        if p.is_file() and not any(part.startswith(".") for part in p.relative_to(source).parts)
    )
    files = [p for p in there if p.suffix.lower() in SUFFIXES]
    if not files:
        raise ValueError(
            f"The folder {source} holds {len(there)} files and none that ends in "
            f"{', '.join(SUFFIXES)}. Name a file itself to read it whatever it is called."
        )
    return files


def left_out(source: str | Path) -> list[Path]:
    """What of a folder :func:`read` does not read: files of other kinds, and folders that are links."""
    source = Path(source).expanduser()
    if not source.is_dir():
        return []
    read = set(files_of(source))
    return sorted(p for p in source.rglob("*") if p not in read and (p.is_file() or p.is_symlink()))


def holds_json_lines(path: Path) -> bool:
    """Whether each line of a file is an object of JSON, told by its name or, whatever the name, by its first line.

    Raises ``ValueError`` for a file of JSON in another form, whose syntax nobody means to train on.
    """
    suffix = path.suffix.lower()
    if suffix in (".jsonl", ".ndjson"):
        return True
    with path.open("rb") as file:
        lines = iter(lambda: file.readline(2**20), b"")
        first = next((line for line in lines if line.strip()), b"").decode("utf-8-sig", errors="replace")
    try:
        row = json.loads(first) if first.lstrip().startswith("{") else None
    except (ValueError, RecursionError):
        row = None
    if isinstance(row, dict) and {"text", "prompt", "completion"} & set(row):
        return True
    if suffix == ".json":
        raise ValueError(
            f"{path} is JSON of another form; give a .jsonl file, in which each line is an object with text, or with "
            "prompt and completion."
        )
    return False


def size_of(source: str | Path) -> int:
    """Bytes of the file, or of the files of the folder, that :func:`read` reads."""
    return sum(path.stat().st_size for path in files_of(source))


def pieces(path: Path, size: int = PIECE) -> Iterator[Piece]:
    """A file in pieces of about ``size`` bytes, cut where a paragraph ends, of JSON lines where a line ends."""
    marks = (b"\n",) if holds_json_lines(path) else (b"\n\n", b"\n\r\n", b"\n")
    whole, begin = path.stat().st_size, 0
    with path.open("rb") as file:
        while whole - begin > size:
            end = _border(file, begin + size, whole, marks)
            yield Piece(path, begin, end)
            begin = end
    yield Piece(path, begin, whole)


def _border(file: BinaryIO, at: int, whole: int, marks: Sequence[bytes]) -> int:
    """Where to cut behind ``at``: behind the first mark that stands in the next megabyte, else behind the
    first line end, however far; a text without any is cut between two characters."""
    file.seek(at)
    ahead = file.read(1_000_000)
    for mark in marks:
        if mark in ahead:
            return at + ahead.index(mark) + len(mark)
    if b"\n" in marks and len(marks) > 1:  # text: a continuation byte of UTF-8 is 10xxxxxx
        return at + next((i for i, byte in enumerate(ahead) if byte & 0xC0 != 0x80), len(ahead))
    while ahead:  # a line of JSON cannot be cut
        at += len(ahead)
        ahead = file.read(1_000_000)
        if b"\n" in ahead:
            return at + ahead.index(b"\n") + 1
    return whole


def hold_out(documents: Documents, share: float) -> tuple[Documents, Documents]:
    """Set documents apart for validation: (training, validation).

    Of ten documents or more, the ``share`` with the least BLAKE2 hash of their content, so that equal
    ones stay together and an added one moves no other.  Of fewer texts, the end of each, from where a
    paragraph ends.  Fewer than ten pairs are all for training.
    """
    finite("share", share, BELOW_ONE[0], "from 0, for none, up to but not including 1")
    if share == 0:
        return documents, []
    if len(documents) >= 10:
        hashes = [content_hash(d) for d in documents]
        border = sorted(hashes)[max(1, round(share * len(documents))) - 1]
        train: list[Any] = [d for d, h in zip(documents, hashes) if h > border]
        held_out: list[Any] = [d for d, h in zip(documents, hashes) if h <= border]
        return train, held_out
    if isinstance(documents[0], Pair):
        return documents, []
    cut = [_cut(text, 0, len(text) - max(1, round(share * len(text)))) for text in documents]
    parts = [(text[:end], text[begin:]) for text, (end, begin) in zip(documents, cut)]
    return [a for a, _ in parts if a.strip()], [b for _, b in parts if b.strip()]


def content_hash(document: Document) -> bytes:
    """Eight bytes that decide where a document goes; equal ones have the same."""
    return hashlib.blake2b(repr(document).encode(), digest_size=8).digest()


def passages(text: str) -> Iterator[str]:
    """A text in passages of at most :data:`PASSAGE` characters, blank ones left out."""
    begin = 0
    while begin < len(text):
        end, after = _cut(text, begin, PASSAGE)
        passage = text[begin:end]
        if passage.strip():
            yield passage.strip("\n")
        begin = after


def _cut(text: str, begin: int, size: int) -> tuple[int, int]:
    """Where a passage that begins at ``begin`` ends, at most ``size`` characters on, and where the next one
    begins: at the end of a paragraph, else a line, else a word, looked for in its second half."""
    if len(text) - begin <= size:
        return len(text), len(text)
    for mark in ("\n\n", "\n", " "):
        place = text.rfind(mark, begin + size // 2, begin + size)
        if place >= 0:
            return place, place + len(mark)
    return begin + size, begin + size


def _document(line: str, where: Callable[[], str]) -> Document:
    try:
        row = json.loads(line)
    except (ValueError, RecursionError) as error:
        said = error if isinstance(error, ValueError) else "nested too deep"
        raise ValueError(
            f"{where()} is not JSON ({said}): {line[:60]!r}. Each line must be one whole object, such as "
            '{"text": "..."}.'
        ) from None
    keys = ("text",) if isinstance(row, dict) and "text" in row else ("prompt", "completion")
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in keys):
        has = sorted(row) if isinstance(row, dict) else type(row).__name__
        raise ValueError(f'{where()} has {has}; it needs "text", or "prompt" and "completion", each a string.')
    if keys == ("text",) and "completion" in row:
        raise ValueError(f'{where()} has "text" and "completion"; give "text" alone, or "prompt" and "completion".')
    if len(keys) == 2 and not row["completion"].strip():
        raise ValueError(f"{where()} has an empty completion, so there is nothing to learn from it; take it out.")
    for key in keys:
        refuse_unstorable(row[key], f'{where()}, "{key}",')
    return row["text"] if len(keys) == 1 else Pair(row["prompt"], row["completion"])
