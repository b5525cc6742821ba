"""The students' edition of the homework, proven to hold no line of a solution."""

from __future__ import annotations

import ast
import inspect
import json
import os
import re
import shutil
import zipfile
from collections.abc import Iterator
from pathlib import Path

from lmtune.grading.homework import Homework, Part, load_all
from lmtune.grading.notebook_code import needed, statements
from lmtune.grading.notebook_file import source_of

#: A line of a solution with fewer characters that are no blanks tells nothing.
SHORTEST = 12
READ_ME = """\
Homework

Open a notebook in Jupyter or Colab. It needs Python with the package lmtune; on
Colab its first cell installs it. Elsewhere: {install}

Set your STUDENT_ID, write the functions, and run their checks: each says at once
what is wrong. Then save the notebook and run

    lmtune homework check NOTEBOOK

which reads it as the grader will. Hand it in under the name that your instructor
gave you, and with it, in one folder, any file of yours that it imports.

{titles}
"""


def release(notebooks: Path, instructor: Path, out: Path, settings: Path | None = None) -> list[Path]:
    """Write the students' edition into the new folder ``out`` and into ``out.zip``; the files written.

    Outputs and all metadata but the kernel and the tags are left out.  Raises
    ``ValueError`` when something stands at ``out`` already, when a notebook is missing,
    when a line of a solution would go out with it, or when the grading file ``settings``, which
    holds the seed, lies in it.
    """
    out, packed = Path(out), Path(f"{out}.zip")
    if settings is not None and Path(settings).resolve().is_relative_to(out.resolve()):
        raise ValueError(f"{settings} holds the seed and lies in {out}, which students get; give another --settings.")
    for path in (out, packed):
        if path.exists():
            raise ValueError(f"{path} exists already; remove it or give another --out.")
    known = load_all(instructor)
    unfinished = out.with_name(f".{out.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        for name in known:
            path = Path(notebooks) / f"{name}.ipynb"
            if not path.is_file():
                raise ValueError(f"There is no {path} for the homework {name!r}.")
            text = json.dumps(bare(json.loads(path.read_text(encoding="utf-8"))), indent=1, ensure_ascii=False)
            (unfinished / path.name).write_text(text + "\n", encoding="utf-8")
        address = re.search(r'"(lmtune @ git\+[^"]+)"', "".join(_texts_of(unfinished)))
        install = f'pip install "{address[1]}"' if address else "your instructor says how to install it."
        titles = "\n".join(f"{name}.ipynb: {homework.title}" for name, homework in known.items())
        (unfinished / "README.txt").write_text(READ_ME.format(install=install, titles=titles), encoding="utf-8")
        found = leaks(unfinished, known)
        if found:
            raise ValueError("Nothing was released, for it would hold lines of solutions: " + "; ".join(found[:5]))
        _pack(unfinished, packed, out.name)
        os.replace(unfinished, out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return [*sorted(out.iterdir()), packed]


def _texts_of(folder: Path) -> list[str]:
    """The code of all notebooks of a folder."""
    return [
        cell["source"]
        for path in sorted(folder.glob("*.ipynb"))
        for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]
        if cell["cell_type"] == "code"
    ]


def bare(notebook: dict) -> dict:
    """A notebook without outputs, and of its metadata the kernel and the cells' tags alone."""
    cells = []
    for cell in notebook["cells"]:
        tags = cell.get("metadata", {}).get("tags")
        kept = {"cell_type": cell["cell_type"], "source": source_of(cell), "metadata": {"tags": tags} if tags else {}}
        if "id" in cell:
            kept["id"] = cell["id"]
        cells.append(kept | ({"outputs": [], "execution_count": None} if cell["cell_type"] == "code" else {}))
    kernel = notebook.get("metadata", {}).get("kernelspec")
    return {
        "nbformat": 4,
        "nbformat_minor": notebook.get("nbformat_minor", 5),
        "cells": cells,
        "metadata": {"kernelspec": kernel} if kernel else {},
    }


def leaks(folder: Path, known: dict[str, Homework]) -> list[str]:
    """Which lines of solutions stand anywhere in the files of ``folder``, each with its file.

    Lines of fewer than 12 characters that are no blanks do not count, nor do those that
    a stub or the prose of the notebooks has.  Outputs and metadata are read too.
    """
    texts = {path: list(_texts(path)) for path in sorted(folder.rglob("*")) if path.is_file()}
    allowed = "".join(_packed(part.stub) for homework in known.values() for part in homework.parts)
    allowed += "".join(_packed(prose) for path in texts for prose in _prose(path))
    secret = {line for homework in known.values() for part in homework.parts for line in _lines(part)}
    secret = {line for line in secret if line not in allowed}
    return [
        f"{path.name} holds {line!r}"
        for path, pieces in texts.items()
        for line in sorted(secret)
        if any(line in piece for piece in pieces)
    ]


def _lines(part: Part) -> Iterator[str]:
    """The lines of a solution without blanks, as written and as Python writes them; its name as students know it."""
    written = inspect.getsource(part.reference)
    for source in (written, ast.unparse(ast.parse(written))):
        for line in source.replace("reference_", "").splitlines():
            code = _packed(line.partition("  #")[0])
            if len(code) >= SHORTEST:
                yield code


def _packed(text: str) -> str:
    return re.sub(r"\s+", "", text)


def _texts(path: Path) -> Iterator[str]:
    """All text of a file without blanks; of JSON every text in it, and of a zip that of its files."""
    if path.suffix == ".zip":
        with zipfile.ZipFile(path) as packed:
            for name in packed.namelist():
                text = packed.read(name).decode("utf-8", errors="replace")
                yield _packed(text.replace("\\n", "\n").replace('\\"', '"'))
        return
    text = path.read_bytes().decode("utf-8", errors="replace")
    yield _packed(text)
    if path.suffix in (".ipynb", ".json"):
        yield from map(_packed, _strings(json.loads(text)))


def _strings(value) -> Iterator[str]:
    """Every text in plain data; a list of texts, which is how notebooks keep lines, also as one."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for key, one in value.items():
            yield str(key)
            yield from _strings(one)
    elif isinstance(value, list):
        if all(isinstance(one, str) for one in value):
            yield "".join(value)
        for one in value:
            yield from _strings(one)


def _prose(path: Path) -> Iterator[str]:
    if path.suffix == ".ipynb":
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        yield from (source_of(cell) for cell in cells if cell["cell_type"] == "markdown")


def _pack(folder: Path, packed: Path, name: str) -> None:
    """A zip that is the same each time: no times, names in order."""
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as file:
        for path in sorted(folder.iterdir()):
            file.writestr(zipfile.ZipInfo(f"{name}/{path.name}"), path.read_bytes(), zipfile.ZIP_DEFLATED)


def solution(part: Part) -> str:
    """The solution of one part as a student would write it, with the imports that it needs."""
    module = inspect.getsource(inspect.getmodule(part.reference))
    body, _ = statements([module])
    code = "\n\n".join(ast.unparse(s.tree) for s in needed(part.reference.__name__, body))
    return code.replace("reference_", "")


def solved(notebook: dict, homework: Homework) -> dict:
    """The instructor's edition of a notebook: each stub replaced by the solution."""
    answers = {part.stub.strip(): solution(part) for part in homework.parts}
    made = bare(notebook)
    for cell in made["cells"]:
        for stub, answer in answers.items():
            cell["source"] = cell["source"].replace(stub, answer)
    return made
