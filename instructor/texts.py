"""All text that a file holds, wherever it hides: cells, outputs, archives, pages, escaped strings."""

from __future__ import annotations

import gzip
import html
import io
import json
import re
import tarfile
import zipfile
import zlib
from collections.abc import Iterator

#: Archives in archives are opened to this depth; nobody publishes more.
DEEPEST = 3
#: What is raised for an archive that is damaged, locked or of a kind that Python does not know.
DAMAGED = (OSError, EOFError, zlib.error, zipfile.BadZipFile, tarfile.TarError, RuntimeError, NotImplementedError)


def texts(name: str, data: bytes, depth: int = 0) -> Iterator[tuple[str, str]]:
    """Pairs of a place, such as ``notes.ipynb, cell 4``, and a text that stands there.

    A text may come twice, as it stands and as it reads.  Raises ``ValueError`` for an archive that cannot be opened.
    """
    if depth < DEEPEST:
        for member, content in _members(name, data):
            yield from texts(f"{name}, {member}", content, depth + 1)
    text = data.replace(b"\0", b"").decode("utf-8", errors="replace")  # without zeros UTF-16 reads as ASCII
    if name.lower().endswith((".ipynb", ".json")):  # first, for a cell says more than a line of the file
        try:
            yield from _of_json(name, json.loads(text))
        except (ValueError, RecursionError):
            pass  # no JSON: it is read as plain text
    yield name, text
    if "\\" in text:  # JSON or a printed string within another file; each line of it keeps its number
        yield name, re.sub(r"\\+n", " ", re.sub(r"\\+([\"'])", r"\1", text))
    if name.lower().endswith((".htm", ".html")):
        yield name, html.unescape(re.sub(r"<[^>]*>", "", text))


def _of_json(name: str, value: object) -> Iterator[tuple[str, str]]:
    cells = value.get("cells") if isinstance(value, dict) else None
    if not isinstance(cells, list):
        yield from ((name, text) for text in _strings(value))
        return
    for number, cell in enumerate(cells, 1):
        parts = dict(cell) if isinstance(cell, dict) else {"": cell}
        yield from ((f"{name}, cell {number}", text) for text in _strings(parts.pop("source", "")))
        yield from ((f"{name}, cell {number}, beside its source", text) for text in _strings(parts))
    yield from ((f"{name}, metadata", text) for text in _strings({k: v for k, v in value.items() if k != "cells"}))


def _strings(value: object) -> Iterator[str]:
    """Every text in plain data; a list of texts, which is how notebooks keep lines, as one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield str(key)
            yield from _strings(one)
    elif isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            yield "".join(value)
        else:
            for one in value:
                yield from _strings(one)


def _members(name: str, data: bytes) -> Iterator[tuple[str, bytes]]:
    """The files of an archive, known by its first bytes, and what a gzip file holds."""
    try:
        if data[:4] == b"PK\x03\x04":
            with zipfile.ZipFile(io.BytesIO(data)) as packed:
                for member in packed.infolist():
                    yield member.filename, packed.read(member)
        elif data[:2] == b"\x1f\x8b":
            yield "unpacked", gzip.decompress(data)
        elif data[257:262] == b"ustar":
            with tarfile.open(fileobj=io.BytesIO(data)) as packed:
                for member in packed:
                    if member.isfile():
                        yield member.name, packed.extractfile(member).read()
    except DAMAGED as error:
        raise ValueError(f"{name} is an archive that cannot be opened ({error}); take it out or unpack it") from error
