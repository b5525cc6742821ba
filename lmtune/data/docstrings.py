"""Text that is already on the machine: the docstrings of installed packages.

Sources are parsed with ``ast`` and never imported.  The result is a list of
:class:`Document`, the same for everyone who has the same package versions.
"""

from __future__ import annotations

import ast
import difflib
import gzip
import hashlib
import importlib.metadata
import importlib.util
import json
import os
import re
import sys
import sysconfig
import unicodedata
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from tqdm.auto import tqdm

from lmtune.bars import shown
from lmtune.files import write_whole

#: The Python standard library, under one name.
STDLIB = "python"

#: What ``pocket`` and ``pocket-mini`` were pretrained on (train documents only).
PRETRAIN_PACKAGES = (
    STDLIB,
    "torch",
    "transformers",
    "scipy",
    "sympy",
    "sklearn",
    "pandas",
    "sqlalchemy",
    "numpy",
    "nltk",
    "huggingface_hub",
    "peft",
    "fontTools",
    "IPython",
    "mpmath",
    "optuna",
    "accelerate",
    "alembic",
    "PIL",
    "joblib",
    "fsspec",
    "prompt_toolkit",
)
#: Libraries that no pretraining has seen.
HELD_OUT = ("networkx", "matplotlib")
#: The classes of the task "which library does this docstring come from?".
CLASS_PACKAGES = ("numpy", "scipy", "pandas", "sklearn", "torch", "sympy", "networkx", "matplotlib")

#: Documents shorter than this (in words) say too little for any of the tasks.
MIN_WORDS = 8

#: Names under which packages are installed, where they differ from the import.
DISTRIBUTIONS = {"sklearn": "scikit-learn", "PIL": "pillow", "fontTools": "fonttools"}
_SKIPPED_FOLDERS = {
    "test",
    "tests",
    "testing",
    "idle_test",
    "lib2to3",
    "site-packages",
    "dist-packages",
    "_vendor",
    "externals",
    "__pycache__",
}
_CACHE_FORMAT = 2

_Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef


class Document(NamedTuple):
    """One docstring.

    ``package`` is the import name (``"python"`` for the standard library),
    ``name`` the qualified name of the object, ``text`` the cleaned docstring.
    """

    package: str
    name: str
    text: str


def extract(package: str, progress: bool = True) -> list[Document]:
    """Return the docstrings of ``package``, in the order of their names.

    Each text stands once: of identical docstrings the first name is kept.
    The result is cached in :func:`cache_folder`; a damaged or unwritable cache
    costs time and nothing else.

    Raises ``ValueError`` when the package is not installed.
    """
    roots = _roots(package)
    path = cache_folder() / f"docs-{package}-{_version(package, roots)}.json.gz"
    documents = _read_cache(path)
    if documents is None:
        documents = _parse(package, roots, progress)
        _write_cache(path, documents)
    return documents


def cache_folder() -> Path:
    """Where extracted text is kept: ``$LMTUNE_CACHE``, else the user's cache folder."""
    if os.environ.get("LMTUNE_CACHE"):
        return Path(os.environ["LMTUNE_CACHE"])
    base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "lmtune"


def clean(text: str) -> str:
    """Normalise a docstring: plain blanks, nothing unprintable, at most one empty line."""
    text = text.replace("\r\n", "\n").replace("\r", "\n").expandtabs(4)
    text = "".join(_plain(c) for c in text)
    text = "\n".join(line.rstrip() for line in text.split("\n"))
    return re.sub(r"\n{3,}", "\n\n", text).strip()


def _plain(character: str) -> str:
    if character == "\n" or character.isprintable():
        return character
    return " " if unicodedata.category(character) == "Zs" else ""


# -- finding and parsing ------------------------------------------------------


def _roots(package: str) -> list[Path]:
    """The folders (or the one file) that hold ``package``; nothing is imported."""
    if package == STDLIB:
        return [Path(sysconfig.get_paths()["stdlib"])]
    if not isinstance(package, str):
        raise TypeError(f"package is a {type(package).__name__}; give one name, as a str.")
    importable = package.isidentifier() and package != "__main__"
    spec = importlib.util.find_spec(package) if importable else None
    if spec is None:
        raise ValueError(_unknown(package))
    if spec.submodule_search_locations:
        return [Path(p) for p in spec.submodule_search_locations]
    if not (spec.origin and spec.origin.endswith(".py")):
        raise ValueError(f"{package!r} has no Python source to read: it is compiled or built in.")
    return [Path(spec.origin)]


def _unknown(package: str) -> str:
    known = [STDLIB, *sorted({*PRETRAIN_PACKAGES, *HELD_OUT, *CLASS_PACKAGES} - {STDLIB})]
    installed = [p for p in known if p == STDLIB or importlib.util.find_spec(p)]
    near = difflib.get_close_matches(package, installed, n=1)
    hint = f" Did you mean {near[0]!r}?" if near else ""
    return (
        f"No installed package is called {package!r}.{hint} Give the name you would import. "
        f"Of the book's packages these are installed: {', '.join(installed)}."
    )


def _version(package: str, roots: list[Path]) -> str:
    """A string that changes when the text may have changed: the cache's key."""
    if package == STDLIB:
        return f"{sys.version_info[0]}.{sys.version_info[1]}.{sys.version_info[2]}"
    try:
        return importlib.metadata.version(DISTRIBUTIONS.get(package, package))
    except importlib.metadata.PackageNotFoundError:
        stamp = [f"{f}:{f.stat().st_mtime_ns}" for f in _files(roots)]
        return hashlib.blake2b("\n".join(stamp).encode(), digest_size=8).hexdigest()


def _files(roots: list[Path]) -> list[Path]:
    found = []
    for root in roots:
        if root.is_file():
            found.append(root)
            continue
        for folder, names, files in os.walk(root):
            names[:] = sorted(n for n in names if n not in _SKIPPED_FOLDERS)
            found += [Path(folder, f) for f in sorted(files) if f.endswith(".py")]
    return found


def _parse(package: str, roots: list[Path], progress: bool) -> list[Document]:
    found: dict[str, str] = {}
    files = [(root if package == STDLIB else root.parent, path) for root in roots for path in _files([root])]
    for base, path in tqdm(files, desc=f"reading {package}", unit="file", leave=False, delay=1.0, **shown(progress)):
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", SyntaxWarning)
            try:
                tree = ast.parse(path.read_bytes())
            except (SyntaxError, ValueError, OSError, RecursionError):
                continue  # a template or a file for another Python: no text for us
        module = ".".join(path.relative_to(base).with_suffix("").parts)
        module = module.removesuffix(".__init__")
        for name, text in _docstrings(tree, module):
            text = clean(text)
            if len(text.split()) >= MIN_WORDS:
                found.setdefault(name, text)
    texts: dict[str, str] = {}
    for name in sorted(found):
        texts.setdefault(found[name], name)
    return [Document(package, name, text) for text, name in texts.items()]


def _docstrings(node: ast.Module | _Definition, name: str) -> Iterator[tuple[str, str]]:
    """Yield (qualified name, docstring) of a module or class and of what it defines."""
    text = ast.get_docstring(node)
    if text:
        yield name, text
    if isinstance(node, (ast.FunctionDef, ast.AsyncFunctionDef)):
        return  # functions within functions are not part of any interface
    for child in _definitions(node.body):
        yield from _docstrings(child, f"{name}.{child.name}")


def _definitions(body: list[ast.stmt]) -> Iterator[_Definition]:
    """Definitions in ``body``, also those under ``if`` and ``try``."""
    for child in body:
        if isinstance(child, (ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)):
            yield child
        elif isinstance(child, ast.If):
            yield from _definitions(child.body + child.orelse)
        elif isinstance(child, ast.Try):
            yield from _definitions(child.body + child.orelse + child.finalbody)


# -- the cache ----------------------------------------------------------------


def _read_cache(path: Path) -> list[Document] | None:
    """The cached documents, or None when there are none or the file is damaged."""
    try:
        with gzip.open(path, "rt", encoding="utf8") as f:
            data = json.load(f)
        if data["format"] != _CACHE_FORMAT or data["digest"] != _digest(data["documents"]):
            return None
        return [Document(*d) for d in data["documents"]]
    except (OSError, EOFError, ValueError, KeyError, TypeError, zlib.error):
        return None


def _write_cache(path: Path, documents: list[Document]) -> None:
    rows = [list(d) for d in documents]
    data = {"format": _CACHE_FORMAT, "digest": _digest(rows), "documents": rows}
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, gzip.compress(json.dumps(data).encode(), 6, mtime=0))
    except OSError:
        pass  # without a cache the text is read again next time


def _digest(rows: list[list[str]]) -> str:
    return hashlib.blake2b(json.dumps(rows).encode(), digest_size=16).hexdigest()
