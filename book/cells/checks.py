"""What must hold of every committed notebook.

Each check takes a notebook and returns a list of sentences, one for each
problem, and an empty list when all is well. The tests run them on the chapters
and, to prove that they catch, on notebooks broken on purpose.
"""

import ast
import re

import nbformat

from book.cells.derive import colab_code, derive
from book.cells.places import ROOT, notebook_path

SKIPPED = {"nbval-skip", "skip-execution"}
SPEAKING = {"print", "display", "claim", "check", "compare", "explore", "finding"}  # calls that always show something
FENCE = re.compile(r"^\s*(?:`{3,}|~{3,}|:{3,})\s*\{", re.MULTILINE)
COLONS = re.compile(r"^\s*:{3,}", re.MULTILINE)
ROLE = re.compile(r"\{(?:ref|doc|numref|eq|cite|cite:[pt]|term|math|download|func|class|mod|meth|py:\w+)\}`")
UNFILLED = re.compile(r"\{\{(solution|stub|exercise|quiz):|`{3,} *(?:head|predict|mistake)\b")
PROGRESS = re.compile(r"\d+%\|.*\||\d(?:it/s|s/it)\b")
ADDRESS = re.compile(r"\bat 0x(?!0\b)[0-9a-fA-F]{6,}")
MACHINE_PATH = re.compile(r"(?<![\w.~/-])/(?:root|home|Users|tmp|work|opt)/[\w.-]+")
IMAGE = re.compile(r"<img\b[^>]*>", re.IGNORECASE)
ALT = re.compile(r"""\balt\s*=\s*(?:"\s*[^"\s]|'\s*[^'\s])""", re.IGNORECASE)
MARKDOWN_IMAGE = re.compile(r"!\[\s*\]\(")


def code_cells(notebook):
    """Pairs of position and cell, for every code cell that a run executes."""
    return [
        (place, cell)
        for place, cell in enumerate(notebook.cells)
        if cell.cell_type == "code" and not SKIPPED & set(cell.metadata.get("tags", []))
    ]


def speaks(source):
    """Whether a cell's code must leave an output."""
    try:
        body = ast.parse(source).body
    except SyntaxError:  # a magic, or an error shown on purpose
        return False
    if not body:
        return False
    calls = [
        statement.value.func
        for statement in body
        if isinstance(statement, ast.Expr) and isinstance(statement.value, ast.Call)
    ]
    if SPEAKING & {call.id for call in calls if isinstance(call, ast.Name)}:
        return True
    shown = isinstance(body[-1], ast.Expr) and isinstance(body[-1].value, (ast.Name, ast.Attribute, ast.BinOp))
    return shown and not source.rstrip().endswith(";")


def executed(notebook):
    """Every code cell was executed, in order, and shows what it must show."""
    problems = []
    for count, (place, cell) in enumerate(code_cells(notebook), start=1):
        if cell.execution_count is None:
            problems.append(f"cell {place} was never executed")
        elif cell.execution_count != count:
            problems.append(f"cell {place} was executed as number {cell.execution_count}, not {count}")
        if cell.execution_count is not None and not cell.outputs and speaks(cell.source):
            problems.append(f"cell {place} must show something and has no output")
    return problems


def matches_source(name, root=ROOT):
    """The notebook holds exactly the cells that its source gives."""
    path = notebook_path(name, root)
    if not path.exists():
        return [f"{name} has a source and no notebook; run: make notebooks"]
    stored, fresh = nbformat.read(path, as_version=4), derive(name, root)
    advice = "edit the source, then run: make notebooks"
    for place, (old, new) in enumerate(zip(stored.cells, fresh.cells)):
        for part in ("cell_type", "source", "metadata", "id"):
            if old[part] != new[part]:
                start = (new.source.strip().splitlines() or [""])[0][:60]
                return [f"{name} differs from its source in the {part} of cell {place} ({start!r}); {advice}"]
    if len(stored.cells) != len(fresh.cells):
        return [f"{name} has {len(stored.cells)} cells, its source gives {len(fresh.cells)}; {advice}"]
    if stored.metadata != fresh.metadata:
        return [f"{name} has other metadata than its source gives; {advice}"]
    return []


def colab_cell(notebook, url):
    """The install cell stands near the top, once, as the command writes it."""
    places = [place for place, cell in enumerate(notebook.cells) if "colab" in cell.metadata.get("tags", [])]
    if len(places) != 1 or places[0] > 1:
        return [f"the Colab cell stands at {places}, and must stand once, at 0 or 1"]
    if notebook.cells[places[0]].source != colab_code(url):
        return ["the Colab cell is not the one that the command stamps; run: make notebooks"]
    return []


def plain_markdown(notebook):
    """No directive and no role, which Colab shows as raw text."""
    problems = []
    for place, cell in enumerate(notebook.cells):
        if cell.cell_type == "markdown":
            if FENCE.search(cell.source) or COLONS.search(cell.source):
                problems.append(f"cell {place} holds a directive fence")
            if ROLE.search(cell.source):
                problems.append(f"cell {place} holds a role")
            if UNFILLED.search(cell.source):
                problems.append(f"cell {place} holds a mark or a block to fill in that stands on no line of its own")
    return problems


def outputs(notebook):
    """Triples of position, cell and output."""
    return [
        (place, cell, output)
        for place, cell in enumerate(notebook.cells)
        if cell.cell_type == "code"
        for output in cell.outputs
    ]


def alternative_text(notebook):
    """Every image says in words what is seen."""
    texts = [(place, cell.source) for place, cell in enumerate(notebook.cells) if cell.cell_type == "markdown"]
    texts += [
        (place, output.data["text/html"])
        for place, _, output in outputs(notebook)
        if "text/html" in output.get("data", {})
    ]
    problems = [
        f"cell {place} has an image without alternative text"
        for place, text in texts
        if MARKDOWN_IMAGE.search(text) or any(not ALT.search(tag) for tag in IMAGE.findall(text))
    ]
    for place, _, output in outputs(notebook):
        # A bare picture cannot carry a text; figures are shown as HTML.
        if any(mime.startswith("image/") for mime in output.get("data", {})) and "text/html" not in output.data:
            problems.append(f"cell {place} shows a bare image, which has no alternative text")
    return problems


def output_text(output):
    """All the text of one output, without the pictures in it."""
    if output.output_type == "stream":
        return output.text
    if output.output_type == "error":
        return "\n".join([output.evalue, *output.traceback])
    values = [value for value in output.get("data", {}).values() if isinstance(value, str)]
    return re.sub(r"data:image/[^\"']*", "", "\n".join(values))


def clean_outputs(notebook):
    """No trace of one run or of one machine is stored."""
    problems = ["the metadata holds the state of widgets"] if "widgets" in notebook.metadata else []
    for place, cell, output in outputs(notebook):
        text = output_text(output)
        faults = {
            "a stream other than stdout": output.output_type == "stream" and output.name != "stdout",
            "a traceback": output.output_type == "error" and "raises-exception" not in cell.metadata.get("tags", []),
            "a live widget": any("widget" in mime for mime in output.get("data", {})),
            "a progress bar": PROGRESS.search(text),
            "a memory address": ADDRESS.search(text),
            "a path of one machine": MACHINE_PATH.search(text),
        }
        problems += [f"cell {place} stores {fault}" for fault, found in faults.items() if found]
    return problems


def all_problems(notebook, url):
    """What every check except `matches_source` says of a notebook."""
    return [
        *executed(notebook),
        *colab_cell(notebook, url),
        *plain_markdown(notebook),
        *alternative_text(notebook),
        *clean_outputs(notebook),
    ]
