"""Which lines of the instructor's folder students must not see: answers, truths, hidden inputs, and the seed.

What students get anyway does not count: stubs, hints, questions and rubrics, the published examples, and the
lines that a person has allowed in ``instructor/shown.txt``.  Neither do imports, comments and blanks.
"""

from __future__ import annotations

import ast
import io
import json
import re
import tokenize
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from pathlib import Path

import tomllib

from lmtune.grading.homework import load_all, published

#: Characters, blanks not counted, from which on a line tells something; shorter ones count with those that follow.
LEAST = 20
#: What a part and a homework say to students, by the names of the arguments.
TOLD = {"id", "level", "minutes", "aim", "stub", "hints", "points", "tolerance", "name", "title", "question", "rubric"}
EXAMPLE_SEED = "change-me"


def hidden_lines(instructor: Path) -> dict[str, str]:
    """What must not be seen, without blanks, and for each where it stands in ``instructor``."""
    known = load_all(instructor)
    sentences = {text for homework in known.values() for text in _strings(homework) if len(text.split()) > 1}
    allowed = packed("\n".join(sorted(sentences)))
    allowed += "".join(packed(json.dumps(published(one), indent=1, ensure_ascii=False)) for one in known.values())
    shown = instructor / "shown.txt"
    allowed += packed(shown.read_text(encoding="utf-8")) if shown.exists() else ""
    found: dict[str, str] = {}
    for path in sorted((instructor / "homework").rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            name = path.relative_to(instructor.parent).as_posix()
            for number, text in _of_file(path, sentences):
                if text not in allowed:
                    found.setdefault(text, f"{name}, line {number}")
    return {**found, **_seeds(instructor)}


def packed(text: str) -> str:
    """Text without blanks, so that another indentation or layout hides nothing."""
    return "".join(text.split())


def runs(lines: list[tuple[int, str]]) -> Iterator[tuple[int, str]]:
    """From each line the shortest run of whole lines that tells something, with the number of its first line.

    A line that only opens a block, such as ``for x in y:``, counts together with the next.
    """
    for first, (number, text) in enumerate(lines):
        last = first
        while len(text) < LEAST or text.endswith(":"):
            last += 1
            if last == len(lines):
                break
            text += lines[last][1]
        else:
            yield number, text


def _of_file(path: Path, sentences: set[str]) -> Iterator[tuple[int, str]]:
    source = path.read_text(encoding="utf-8", errors="replace")
    if path.suffix != ".py":
        yield from runs(_lines(source))
        return
    tree = ast.parse(source)
    written = _blanked(source, tree, sentences)
    for variant in (_as_answer(written, tree), written):
        yield from runs(_lines(variant))
    for node in tree.body:  # as Python writes it: a solution that was laid out anew
        if isinstance(node, (ast.FunctionDef, ast.ClassDef)):
            yield from ((node.lineno, text) for _, text in runs(_lines(_as_answer(ast.unparse(node), tree))))


def _lines(source: str) -> list[tuple[int, str]]:
    numbered = ((number, packed(line)) for number, line in enumerate(source.split("\n"), 1))
    return [(number, line) for number, line in numbered if line]


def _as_answer(source: str, tree: ast.Module) -> str:
    """The source with the names that students use: ``reference_rates`` is their ``rates``."""
    names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]
    for name in names:
        if name.startswith("reference_"):
            source = re.sub(rf"\b{name}\b", name.removeprefix("reference_"), source)
    return source


def _blanked(source: str, tree: ast.Module, sentences: set[str]) -> str:
    """The source with blanks in place of imports, comments, the module's docstring and what students are told."""
    lines = [bytearray(line.encode()) for line in source.split("\n")]
    for token in tokenize.generate_tokens(io.StringIO(source).readline):
        if token.type == tokenize.COMMENT:
            row, column = token.start
            at = len(source.split("\n")[row - 1][:column].encode())
            lines[row - 1][at:] = b" " * (len(lines[row - 1]) - at)
    for node in _told(tree, sentences):
        for row in range(node.lineno - 1, node.end_lineno):
            begin = node.col_offset if row == node.lineno - 1 else 0
            end = node.end_col_offset if row == node.end_lineno - 1 else len(lines[row])
            lines[row][begin:end] = b" " * (end - begin)
    return "\n".join(line.decode() for line in lines)


def _told(tree: ast.Module, sentences: set[str]) -> Iterator[ast.AST]:
    if ast.get_docstring(tree) is not None:
        yield tree.body[0]
    pieces = {id(piece) for node in ast.walk(tree) if isinstance(node, ast.JoinedStr) for piece in node.values}
    for node in ast.walk(tree):
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            yield node
        elif isinstance(node, ast.Constant) and id(node) not in pieces and node.value in sentences:
            yield node
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in ("Part", "Homework"):
            yield from (keyword for keyword in node.keywords if keyword.arg in TOLD)


def _strings(value: object) -> Iterator[str]:
    """Every text that a homework holds as data."""
    if isinstance(value, str):
        yield value
    elif is_dataclass(value):
        for field in fields(value):
            yield from _strings(getattr(value, field.name))
    elif isinstance(value, (list, tuple)):
        for one in value:
            yield from _strings(one)


def _seeds(instructor: Path) -> dict[str, str]:
    found = {}
    for path in sorted(instructor.glob("*.toml")):
        try:
            seed = tomllib.loads(path.read_text(encoding="utf-8")).get("seed")
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise ValueError(f"{path} is no TOML, so its seed cannot be looked for: {error}") from error
        if isinstance(seed, str) and packed(seed) and seed != EXAMPLE_SEED:
            found[packed(seed)] = f"{instructor.name}/{path.name}, the seed"
    return found
