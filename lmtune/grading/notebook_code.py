"""What a notebook's code is: its cells, its statements, and what a graded function needs of them.

What counts of a notebook is decided here and nowhere else.  It is what stands ready when the notebook is run
from the top and the check of the function is reached: the function, and the names of the notebook that it
looks up, and those that these look up.  A name that is given a value only further down is taken from there.
Nothing of a notebook is executed.  Standard library alone, because it also runs in the sandbox.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Iterable, Sequence

from lmtune.grading.definitions import functions, makers
from lmtune.grading.ipython_syntax import as_python, pieces
from lmtune.grading.notebook_file import language_of, read, source_of, version_of
from lmtune.grading.scopes import ALWAYS, FUNCTIONS, Statement, called, changed, executed, is_star, looked_up, names_in

#: Too deep for Python's own parser, or for what walks its trees.
TOO_DEEP = (RecursionError, MemoryError)
#: Cells of which it is said what they count for.
MOST = 500
HERE = "{}.{}".format(*sys.version_info)


def statements(cells: Sequence[str]) -> tuple[list[Statement], list[str]]:
    """The statements of all cells in order, and remarks on what is no Python."""
    found: list[Statement] = []
    remarks: list[str] = []
    for number, source in enumerate(cells, 1):
        code, why_not = as_python(source)
        for line, piece, error in _trees(code) if not why_not else ():
            if isinstance(piece, Statement):
                piece.cell = number
                found.append(piece)
            else:
                remarks.append(f"code cell {number} {_why(error, line)}")
    _effects_of_calls(found)
    return found, remarks


def _trees(code: str) -> Iterable[tuple[int, Statement | None, BaseException | None]]:
    """The statements of a cell; where it is no Python as a whole, of those of its pieces that are."""
    try:
        whole = [(0, code, ast.parse(code))]
    except (SyntaxError, ValueError, *TOO_DEEP):
        whole = [(line, piece, None) for line, piece in pieces(code) or [(0, code)]]
    for line, piece, tree in whole:
        try:
            body = (tree or ast.parse(piece)).body
            raw = piece.encode().split(b"\n")
        except (SyntaxError, ValueError, *TOO_DEEP) as error:
            yield line, None, error
            continue
        for one in body:
            try:
                yield line, looked_up(Statement(one, _source(raw, one))), None
            except (SyntaxError, ValueError, *TOO_DEEP) as error:
                yield line + one.lineno - 1, None, error


def _source(lines: list[bytes], tree: ast.stmt) -> str:
    """The source of one statement, its decorators with it; columns count bytes."""
    decorators = getattr(tree, "decorator_list", [])
    if decorators:
        first, begin = min(d.lineno for d in decorators) - 1, 0
    else:
        first, begin = tree.lineno - 1, tree.col_offset
    taken = lines[first : tree.end_lineno]
    taken[-1] = taken[-1][: tree.end_col_offset]
    taken[0] = taken[0][begin:]
    return b"\n".join(taken).decode()


def _why(error: BaseException, line: int) -> str:
    if isinstance(error, TOO_DEEP):
        return "is nested too deep to be read and was left out"
    at = getattr(error, "lineno", None)
    where = f" at its line {line + at}" if at else ""
    said = f"is no valid Python{where} and was left out there: {error.args[0]}"
    if "f-string" in str(error.args[0]) and sys.version_info < (3, 12):
        said += f"; it is read with Python {HERE}, and Python 3.12 and newer allow more within an f-string"
    return said


def _effects_of_calls(body: list[Statement]) -> None:
    """Fill in what each statement changes, by itself and through functions of the notebook that it calls."""
    modules = set().union(*(s.binds for s in body if isinstance(s.tree, (ast.Import, ast.ImportFrom))))
    defined = {f.name: (s, f) for s in body for f in executed(s.tree) if isinstance(f, FUNCTIONS)}
    through = {name: _within(statement, tree, modules) for name, (statement, tree) in defined.items()}
    for _ in through:  # functions that call functions
        before = sum(len(names) for names, _, _ in through.values())
        for names, _, calls in through.values():
            names |= set().union(*(through[c][0] for c in calls if c in through))
        if sum(len(names) for names, _, _ in through.values()) == before:
            break
    for statement in body:
        statement.changes |= changed(executed(statement.tree), modules)
        for name, arguments in called(statement.tree):
            names, places, _ = through.get(name, (set(), set(), set()))
            statement.changes |= names
            statement.changes |= set().union(*(names_in(a) for i, a in enumerate(arguments) if i in places))


def _within(statement: Statement, tree: ast.AST, modules: set[str]) -> tuple[set[str], set[int], set[str]]:
    """What a function changes when it is called: names of the notebook, places of arguments; and what it calls."""
    inside = list(ast.walk(tree))
    touched = changed(iter(inside), modules)
    parameters = [a.arg for a in (*tree.args.posonlyargs, *tree.args.args)]
    places = {i for i, name in enumerate(parameters) if name in touched}
    calls = {n.func.id for n in inside if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    return (touched & statement.reads) - set(parameters) | statement.sets, places, calls


def needed(name: str, body: Sequence[Statement]) -> list[Statement]:
    """The statements that the function ``name`` needs, in the notebook's order, imports cut to what is used."""
    making = makers(name, body)
    if not making:
        return []
    last = making[-1]
    end = next((i for i in range(last, len(body)) if checks(name, body[i])), len(body) - 1)
    chosen: set[int] = set()
    wanted, asked = {name, ALWAYS}, set()
    while wanted - asked:
        new = wanted - asked
        asked |= new
        binding = {n: [i for i, s in enumerate(body) if n in s.binds | s.changes] for n in new}
        more = {i for places in binding.values() for i in _in_time(places, end)}
        if any(not places and n.isidentifier() for n, places in binding.items()):  # it may come with a star
            more |= set(_in_time([i for i, s in enumerate(body) if is_star(s.tree)], end))
        more = {i for i in more - chosen if i in making or name not in body[i].binds}
        chosen |= more
        wanted |= set().union(*(body[i].reads for i in more))
    future = {i for i, s in enumerate(body) if _is_future(s.tree)}
    ordered = [*sorted(future), *sorted(chosen - future)]
    return [_cut(body[i], wanted) for i in ordered]


def _in_time(places: list[int], end: int) -> list[int]:
    """Of the places that give a name its value those that the run from the top has reached, else all."""
    return [i for i in places if i <= end] or places


def checks(name: str, statement: Statement) -> bool:
    """Whether a statement hands the function to ``check``."""
    calls = (n for n in executed(statement.tree) if isinstance(n, ast.Call))
    return any(
        (getattr(c.func, "id", None) or getattr(c.func, "attr", None)) == "check"
        and any(isinstance(a, ast.Name) and a.id == name for a in (*c.args, *(k.value for k in c.keywords)))
        for c in calls
    )


def _is_future(tree: ast.stmt) -> bool:
    return isinstance(tree, ast.ImportFrom) and tree.module == "__future__"


def _cut(statement: Statement, wanted: set[str]) -> Statement:
    """An import without what nobody asks for: importing torch takes seconds."""
    tree = statement.tree
    if not isinstance(tree, (ast.Import, ast.ImportFrom)) or is_star(tree) or _is_future(tree):
        return statement
    names = [a for a in tree.names if (a.asname or a.name).split(".")[0] in wanted]
    if len(names) == len(tree.names):
        return statement
    kept = type(tree)(**{**dict(ast.iter_fields(tree)), "names": names})
    return Statement(kept, ast.unparse(ast.fix_missing_locations(kept)), statement.cell)


def taken(request: dict) -> dict:
    """What is found in a notebook: code for each function, the open answer, remarks, and what counts of each cell."""
    notebook, cells = read(request["notebook"])
    sources = [source_of(c) if _is_code(c) else "" for c in cells if c.get("cell_type") == "code"]
    body, remarks = statements(sources)
    remarks = _on_the_whole(notebook) + remarks
    code, used = {}, {}
    for name in request["take"]:
        defined = sum(f.name == name for f in functions(body))
        if defined > 1:
            remarks.append(f"{name} is defined {defined} times; the last one counts")
        parts = needed(name, body)
        code[name] = "\n".join(s.text for s in parts) or None
        for part in parts:
            used.setdefault(part.cell, {})[name] = None
    marked = [source_of(c) for c in cells if c.get("cell_type") == "markdown"]
    mark = request.get("mark", "")
    answer = next((s.split(mark, 1)[1].strip() for s in marked if mark and mark in s), None)
    return {
        "code": code,
        "remarks": remarks,
        "student_id": stated_id(body),
        "open": answer and answer[:20000],
        "cells": [_told(n, source, list(used.get(n, ()))) for n, source in enumerate(sources[:MOST], 1)],
    }


def _is_code(cell: dict) -> bool:
    return language_of(cell).lower() in ("python", "ipython", "python3")


def _on_the_whole(notebook: dict) -> list[str]:
    remarks = []
    if (language := language_of(notebook)).lower() not in ("python", "ipython"):
        remarks.append(f"the notebook names a kernel for {language!r}; it was read as Python")
    if version_of(notebook) > sys.version_info[:2]:
        written = ".".join(map(str, version_of(notebook)))
        remarks.append(
            f"the notebook was written with Python {written} and is read with Python {HERE}: "
            f"what is new in {written} is no valid Python here"
        )
    return remarks


def _told(number: int, source: str, functions: list[str]) -> dict:
    """One code cell: its number, its first line, the functions that it counts for, and why it counts for none."""
    code, why_not = as_python(source)
    lines = [line.strip() for line in source.split("\n") if line.strip()]
    if not functions and not why_not:
        why_not = "no graded function needs it" if code.strip() else "it holds no Python"
        if any(error for *_, error in _trees(code)):
            why_not = "not all of it is valid Python; the remark below says where"
    return {"cell": number, "begins": (lines or [""])[0][:60], "for": functions, "why_not": why_not}


def stated_id(body: Sequence[Statement]) -> str | None:
    """The text that the notebook assigns to STUDENT_ID, if any."""
    for s in reversed(body):
        if isinstance(s.tree, ast.Assign) and "STUDENT_ID" in s.binds and isinstance(s.tree.value, ast.Constant):
            return str(s.tree.value.value)[:200]
    return None
