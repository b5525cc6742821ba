"""A reader's own text: plain text, JSON lines, folders of both, or documentation (``docs:networkx``).

Everything is read into memory: see :data:`LIMIT`.
"""
from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import NamedTuple, Sequence

from lmtune.arguments import refuse

#: Files that are read in a folder; a single file may have any name.
SUFFIXES = (".txt", ".md", ".rst", ".jsonl")
#: Characters of one passage: a longer text file is cut where a paragraph ends.
PASSAGE = 20_000
#: Megabytes of text that are read unless the caller allows more.  The tokens of one megabyte of English
#: take about 15 MB of memory (measured with ``pocket``, windows of 256 tokens).
LIMIT = 100


class Pair(NamedTuple):
    """A prompt and what should follow it."""

    prompt: str
    completion: str


Documents = "list[str] | list[Pair]"


def read(source: str | Path, limit: float = LIMIT) -> Documents:
    """The documents of a file or folder: texts, or pairs of prompt and completion.

    A line of a ``.jsonl`` file is an object with ``text``, or with ``prompt`` and ``completion``;
    other entries are ignored, and all lines must be of one kind.  Any other file is one text in UTF-8,
    cut into passages of at most :data:`PASSAGE` characters.  Of a folder, files with one of
    :data:`SUFFIXES` are read, in the order of their paths, hidden ones left out.

    Raises ``OSError`` for what cannot be read and ``ValueError`` for what is no text, each with the
    file and, for JSON, the line; and for more than ``limit`` megabytes.
    """
    files = _files(Path(source).expanduser())
    _refuse_too_much(source, files, limit)
    documents: list = []
    for path in files:
        found = _json_lines(path) if path.suffix == ".jsonl" else _passages(_text(path))
        if documents and found and isinstance(found[0], Pair) != isinstance(documents[0], Pair):
            raise ValueError(f"{path} holds {_kind(found[0])} and the files before it {_kind(documents[0])}; give "
                             "one kind at a time.")
        documents += found
    if not documents:
        raise ValueError(f"{source} holds no text: every document in it is empty or blank.")
    return documents


def hold_out(documents: Documents, share: float) -> tuple[Documents, Documents]:
    """Set documents apart for validation: (training, validation).

    Of ten documents or more, the ``share`` with the least BLAKE2 hash of their content, so that equal
    ones stay together and an added one moves no other.  Of fewer texts, the end of each, from where a
    paragraph ends.  Fewer than ten pairs are all for training.
    """
    refuse(not 0 <= share < 1, "share", share, "from 0, for none, up to but not including 1")
    if share == 0:
        return documents, []
    if len(documents) >= 10:
        hashes = [hashlib.blake2b(repr(d).encode(), digest_size=8).digest() for d in documents]
        border = sorted(hashes)[max(1, round(share * len(documents))) - 1]
        return ([d for d, h in zip(documents, hashes) if h > border],
                [d for d, h in zip(documents, hashes) if h <= border])
    if isinstance(documents[0], Pair):
        return documents, []
    cut = [_cut(text, len(text) - max(1, round(share * len(text)))) for text in documents]
    return [a for a, _ in cut if a.strip()], [b for _, b in cut if b.strip()]


def _files(source: Path) -> list[Path]:
    if source.is_file():
        return [source]
    if not source.is_dir():
        raise FileNotFoundError(f"There is no file or folder {source}. Give a text file, a .jsonl file, a folder, or "
                                "documentation such as docs:networkx.")
    there = sorted(p for p in source.rglob("*") if p.is_file()
                   and not any(part.startswith(".") for part in p.relative_to(source).parts))
    files = [p for p in there if p.suffix in SUFFIXES]
    if not files:
        raise ValueError(f"The folder {source} holds {len(there)} files and none that ends in "
                         f"{', '.join(SUFFIXES)}. Name a file itself to read it whatever it is called.")
    return files


def _refuse_too_much(source: str | Path, files: Sequence[Path], limit: float) -> None:
    size = sum(p.stat().st_size for p in files) / 1e6
    if size > limit:
        raise ValueError(f"{source} holds {size:.0f} MB of text and the limit is {limit:g} MB, because its tokens are "
                         f"kept in memory, about {size * 15 / 1000:.1f} GB. Give a part of it, or a higher limit if "
                         "you have the memory.")


def _text(path: Path) -> str:
    data = path.read_bytes()
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not text in UTF-8 (byte {error.start} is {data[error.start]:#04x}). Save it as "
                         "UTF-8, or leave it out if it is no text.") from None
    if "\0" in text:
        raise ValueError(f"{path} is no text: it holds zero bytes, the first at character {text.index(chr(0))}.")
    return text.replace("\r\n", "\n")


def _passages(text: str) -> list[str]:
    passages = []
    while text.strip():
        head, text = _cut(text, PASSAGE)
        passages += [head.strip("\n")] if head.strip() else []
    return passages


def _cut(text: str, at: int) -> tuple[str, str]:
    """Cut a text before position ``at``: at the end of a paragraph, else a line, else a word, looked
    for in the second half of what is before it."""
    if len(text) <= at:
        return text, ""
    for mark in ("\n\n", "\n", " "):
        place = text.rfind(mark, at // 2, at)
        if place >= 0:
            return text[:place], text[place + len(mark):]
    return text[:at], text[at:]


def _json_lines(path: Path) -> Documents:
    documents: list = []
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if not line.strip():
            continue
        found = _document(f"{path} line {number}", line)
        if documents and isinstance(found, Pair) != isinstance(documents[0], Pair):
            raise ValueError(f"{path} line {number} holds {_kind(found)} and the lines before it "
                             f"{_kind(documents[0])}; give one kind in a file.")
        if isinstance(found, Pair) or found.strip():
            documents.append(found)
    return documents


def _document(where: str, line: str) -> str | Pair:
    try:
        row = json.loads(line)
    except ValueError as error:
        raise ValueError(f"{where} is not JSON ({error}): {line[:60]!r}. Each line must be one whole object, such as "
                         '{"text": "..."}.') from None
    keys = ("text",) if isinstance(row, dict) and "text" in row else ("prompt", "completion")
    if not isinstance(row, dict) or not all(isinstance(row.get(key), str) for key in keys):
        has = sorted(row) if isinstance(row, dict) else type(row).__name__
        raise ValueError(f"{where} has {has}; it needs \"text\", or \"prompt\" and \"completion\", each a string.")
    if keys == ("text",) and "completion" in row:
        raise ValueError(f'{where} has "text" and "completion"; give "text" alone, or "prompt" and "completion".')
    if len(keys) == 2 and not row["completion"].strip():
        raise ValueError(f"{where} has an empty completion, so there is nothing to learn from it; take it out.")
    return row["text"] if len(keys) == 1 else Pair(row["prompt"], row["completion"])


def _kind(document: str | Pair) -> str:
    return "prompts and completions" if isinstance(document, Pair) else "texts"
