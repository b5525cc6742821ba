"""The file of a notebook: where it lies in a folder, and its cells without their outputs.

Standard library alone, because it also runs in the sandbox.
"""

from __future__ import annotations

import json
import os
from itertools import islice
from pathlib import Path
from typing import Any

#: Folders that editors and systems make beside a notebook, with copies of it.
NOT_HANDED_IN = ("__MACOSX", "__pycache__")
#: Entries of one folder that are looked at for a notebook, and folders in it.
LOOKED, DEEPER = 10_000, 20


def notebooks_in(folder: Path) -> list[Path]:
    """The notebooks of a folder; where there is none in it, those of the folders in it, one step down.

    ``.IPYNB`` counts too.  Hidden files and folders, such as ``.ipynb_checkpoints``, do not, and links are
    listed but never followed.
    """
    here = _listed(folder)
    found = [p for p in here if _is_notebook(p)]
    below = [p for p in here if p.is_dir() and not p.is_symlink() and p.name not in NOT_HANDED_IN]
    return found or [p for inner in below[:DEEPER] for p in _listed(inner) if _is_notebook(p)]


def chosen(folder: Path, name: str = "") -> Path:
    """The one notebook of a folder, or of several the one of that name; ``ValueError`` in words else."""
    found = notebooks_in(folder)
    named = [p for p in found if p.stem.lower() == name.lower()]
    if len(named or found) == 1:
        return (named or found)[0]
    if not found:
        raise ValueError("there is no notebook in the folder")
    wanted = f"{name}.ipynb" if name else "the one to read"
    raise ValueError(f"there are {len(found)} notebooks in the folder and none of them is {wanted}")


def bare_name(name: str) -> str:
    """A file's name without its end, where that says that it is a notebook, in small or capital letters."""
    return name[:-6] if name[-6:].lower() == ".ipynb" else name


def _listed(folder: Path) -> list[Path]:
    found = list(islice(Path(folder).iterdir(), LOOKED + 1))
    if len(found) > LOOKED:
        raise OSError(f"more than {LOOKED} files in one folder; hand in the notebook alone")
    return sorted(p for p in found if not p.name.startswith("."))


def _is_notebook(path: Path) -> bool:
    return bare_name(path.name) != path.name and (path.is_symlink() or not path.is_dir())


def read(path: str | os.PathLike) -> tuple[dict, list[dict]]:
    """A notebook without its cells' outputs, and its cells; ``ValueError`` in words when it is none."""
    try:
        with open(path, "rb") as file:
            notebook = json.loads(_decoded(file.read()), object_hook=_without_outputs)
    except UnicodeDecodeError as error:
        raise ValueError("the file is not UTF-8 text, so it is no notebook") from error
    except RecursionError as error:
        raise ValueError("the file is nested too deep to be a notebook") from error
    except ValueError as error:
        raise ValueError(f"the file is not JSON, so it is no notebook ({error})") from error
    cells = notebook.get("cells") if isinstance(notebook, dict) else None
    if not isinstance(cells, list):
        raise ValueError("the file is JSON without cells, so it is no notebook of format 4")
    return notebook, [c for c in cells if isinstance(c, dict)]


def _decoded(content: bytes) -> str:
    """The text of a file: UTF-8 with or without a mark at its beginning, or UTF-16 as some editors save."""
    if content.startswith((b"\xff\xfe{", b"\xfe\xff\x00{")):
        return content.decode("utf-16")
    return content.decode("utf-8-sig")


def _without_outputs(read: dict) -> dict:
    """Pictures and printed text are dropped while the file is read: they may be most of it."""
    if "cell_type" in read:
        read.pop("outputs", None)
        read.pop("attachments", None)
    return read


def source_of(cell: dict) -> str:
    """The text of a cell, with one kind of line end."""
    source: Any = cell.get("source", "")
    text = "".join(map(str, source)) if isinstance(source, list) else str(source)
    return text.replace("\r\n", "\n").replace("\r", "\n").removeprefix("\ufeff")


def language_of(part: dict, default: str = "python") -> str:
    """The language that a notebook's kernel, or VS Code for one cell, names; ``default`` where none does."""
    metadata = part.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    for name, key in (("vscode", "languageId"), ("kernelspec", "language"), ("language_info", "name")):
        if isinstance(metadata.get(name), dict) and metadata[name].get(key):
            return str(metadata[name][key])[:40]
    return default


def version_of(notebook: dict) -> tuple[int, ...]:
    """The version of Python that a notebook names, such as ``(3, 12)``; ``()`` where it names none."""
    metadata = notebook.get("metadata")
    language = metadata.get("language_info") if isinstance(metadata, dict) else None
    named = str(language.get("version", "")) if isinstance(language, dict) else ""
    return tuple(int(n) for n in named.split(".")[:2] if n.isdecimal() and len(n) < 4)
