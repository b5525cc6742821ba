"""What a notebook's code is: its cells, its top-level statements, and what a function needs of them.

Nothing of a notebook is executed here.  Standard library alone, because it also runs in the sandbox.
"""

from __future__ import annotations

import ast
import json


def without_magics(source):
    """A cell's code with the lines that only IPython understands blanked out."""
    return "\n".join("" if line.lstrip().startswith(("%", "!", "?")) else line for line in source.splitlines())


def bound(statement):
    """The names that a top-level statement gives a value."""
    if isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)):
        return {statement.name}
    if isinstance(statement, (ast.Import, ast.ImportFrom)):
        return {(a.asname or a.name).split(".")[0] for a in statement.names}
    if isinstance(statement, (ast.Assign, ast.AnnAssign, ast.AugAssign)):
        targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
        return {n.id for t in targets for n in ast.walk(t) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
    if isinstance(statement, (ast.If, ast.Try)):
        return set().union(*(bound(s) for s in ast.walk(statement) if isinstance(s, ast.stmt) and s is not statement))
    return set()


def read(statement):
    """The names that a statement reads anywhere in it."""
    return {n.id for n in ast.walk(statement) if isinstance(n, ast.Name)}


def statements(cells):
    """The top-level statements of all cells in order, and remarks on cells that are no Python."""
    found, remarks = [], []
    for number, source in enumerate(cells, 1):
        try:
            found += ast.parse(without_magics(source)).body
        except (SyntaxError, ValueError) as error:
            line = getattr(error, "lineno", None)
            remarks.append(
                f"code cell {number} is no valid Python and was left out: {error.args[0]}"
                + (f" (its line {line})" if line else "")
            )
        except (RecursionError, MemoryError):
            remarks.append(f"code cell {number} is nested too deep to be read and was left out")
    return found, remarks


def needed(name, body):
    """The statements that the function ``name`` needs, in the notebook's order."""
    wanted, chosen = {name}, set()
    while True:
        more = {i for i, s in enumerate(body) if i not in chosen and bound(s) & wanted}
        if not more:
            return [body[i] for i in sorted(chosen)]
        chosen |= more
        wanted |= set().union(*(read(body[i]) for i in more))


def code_cells(path):
    """The code of a notebook, cell by cell; ``ValueError`` in words when it is no notebook."""
    try:
        with open(path, encoding="utf-8") as file:
            notebook = json.load(file)
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


def source_of(cell):
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def taken(request):
    """What is found in a notebook: code for each function, the open answer, and remarks."""
    notebook, cells = code_cells(request["notebook"])
    body, remarks = statements([source_of(c) for c in cells if c.get("cell_type") == "code"])
    metadata = notebook.get("metadata")
    kernel = metadata.get("kernelspec") if isinstance(metadata, dict) else None
    language = kernel.get("language", "python") if isinstance(kernel, dict) else "python"
    if str(language).lower() != "python":
        remarks.append(f"the notebook names a kernel for {str(language)[:40]!r}; it was read as Python")
    code = {}
    for name in request["take"]:
        defined = [s for s in body if isinstance(s, ast.FunctionDef) and s.name == name]
        if len(defined) > 1:
            remarks.append(f"{name} is defined {len(defined)} times; the last one counts")
        parts = needed(name, body) if defined or any(name in bound(s) for s in body) else []
        code[name] = "\n".join(map(ast.unparse, parts)) if parts else None
    marked = [source_of(c) for c in cells if c.get("cell_type") == "markdown"]
    mark = request.get("mark", "")
    answer = next((s.split(mark, 1)[1].strip() for s in marked if mark and mark in s), None)
    return {"code": code, "remarks": remarks, "student_id": stated_id(body), "open": answer and answer[:20000]}


def stated_id(body):
    """The text that the notebook assigns to STUDENT_ID, if any."""
    for s in reversed(body):
        if isinstance(s, ast.Assign) and "STUDENT_ID" in bound(s) and isinstance(s.value, ast.Constant):
            return str(s.value.value)[:200]
    return None
