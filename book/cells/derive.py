"""Derive a notebook's unexecuted cells from its text source.

The source (jupytext, percent format; `places` says where it stands) is what people edit.
The notebook adds to it the cell that installs lmtune on Colab, and what stands
elsewhere already: `{{exercise:PART/ID}}` is the aim, level and minutes of an
exercise and `{{stub:PART/ID}}` its stub, both from `lmtune.chapters`;
`{{solution:PART/ID}}` is the reference of `chapters/PART/answers.py`, folded;
`{{quiz:PAGE}}` are the questions of that page. Blocks (`blocks`), cells that are
folded (`fold`) and the head of the page (`head`) get their form here too.
"""

import ast
import hashlib
import importlib.util
import inspect
import re
import sys
import textwrap

import jupytext
import nbformat
import yaml

from book.cells import blocks, fold, head, quiz
from book.cells.places import ROOT, room, source_path
from lmtune.chapters.registry import find

BRANCH = "main"
PLACEHOLDER = "https://github.com/OWNER/REPO"
KERNEL = {"display_name": "Python 3", "language": "python", "name": "python3"}
# A line of its own; in a code cell it is a comment, so that the source stays Python.
GENERATED = re.compile(r"^(?:# )?\{\{(solution|stub|exercise):([\w-]+)/([\w-]+)\}\}[ \t]*$", re.MULTILINE)
QUIZ = re.compile(r"^\{\{quiz:([\w-]+)\}\}[ \t]*$", re.MULTILINE)

COLAB_HEAD = """\
# On Colab this cell installs lmtune; elsewhere it does nothing.
import sys

if "google.colab" in sys.modules:
"""
COLAB_INSTALL = """\
    import subprocess

    package = "lmtune @ git+{address}@{branch}"
    subprocess.run([sys.executable, "-m", "pip", "install", "--quiet", package], check=True)"""
COLAB_UNSET = """\
    print("This copy has no address yet; set it with: "
          "python -m book.address https://github.com/you/yourcopy")"""


def address(root=ROOT):
    """The repository's address, which stands in _config.yml alone."""
    config = yaml.safe_load((root / "_config.yml").read_text(encoding="utf-8"))
    return config["repository"]["url"]


def colab_code(url):
    """The source of the Colab cell for one address."""
    if url == PLACEHOLDER:
        return COLAB_HEAD + COLAB_UNSET
    return COLAB_HEAD + COLAB_INSTALL.format(address=url, branch=BRANCH)


def cell_id(index, cell):
    """An id that is the same each time the same cell stands at the same place."""
    text = f"{index}:{cell.cell_type}:{cell.source}"
    return hashlib.blake2b(text.encode(), digest_size=6).hexdigest()


def answers(chapter, root=ROOT):
    """The module with REFERENCES and MISTAKES, from an exercise's id; of homework it is the instructor's."""
    path = (root / "instructor" if chapter == "homework" else room(chapter, root)) / "answers.py"
    if not path.exists():
        raise LookupError(f"no reference answers for chapter {chapter!r}: {path.relative_to(root)} is missing")
    name = f"answers_of_{path.parent.name}"
    spec = importlib.util.spec_from_file_location(name, path)
    module = importlib.util.module_from_spec(spec)
    # inspect.getsource finds a function's file through its module.
    sys.modules[name] = module
    spec.loader.exec_module(module)
    return module


def solution(chapter, exercise, root=ROOT):
    """The folded solution of one exercise, as Markdown."""
    references = answers(chapter, root).REFERENCES
    if exercise not in references:
        raise LookupError(f"chapter {chapter!r} has no exercise {exercise!r}; it has: {', '.join(references)}")
    function = references[exercise]
    code = textwrap.dedent(inspect.getsource(function)).rstrip()
    shown = function.__name__.removeprefix("reference_")
    code = re.sub(rf"\b{function.__name__}\b", shown, code)
    code = "\n\n\n".join(filter(None, [imports_of(function, code), code]))
    return f"<details>\n<summary>Solution</summary>\n\n```python\n{code}\n```\n\n</details>"


def imports_of(function, code):
    """The imports of a function's module that its code needs, so that it runs wherever it is pasted."""
    used = {node.id for node in ast.walk(ast.parse(code)) if isinstance(node, ast.Name)}
    needed = []
    for node in ast.parse(inspect.getsource(inspect.getmodule(function))).body:
        if isinstance(node, (ast.Import, ast.ImportFrom)):
            node.names = [n for n in node.names if (n.asname or n.name.split(".")[0]) in used]
            needed += [ast.unparse(node)] if node.names else []
    return "\n".join(needed)


def stub(chapter, exercise, root=ROOT):
    """The code that a student starts from."""
    return find(f"{chapter}/{exercise}").stub.rstrip()


def heading(chapter, exercise, root=ROOT):
    """What an exercise is for and how long it takes, as Markdown."""
    it = find(f"{chapter}/{exercise}")
    return f"*{it.level.capitalize()}, about {it.minutes} minutes.* {it.aim}"


def generated(text, root=ROOT):
    """`text` with its generated lines filled in."""
    makers = {"solution": solution, "stub": stub, "exercise": heading}
    text = QUIZ.sub(lambda found: quiz.markdown(found[1], root), text)
    return GENERATED.sub(lambda found: makers[found[1]](found[2], found[3], root), text)


def exercises_of(cells):
    """The names of the exercises whose aims stand in these cells."""
    marks = [mark for cell in cells for mark in GENERATED.findall(cell.source)]
    return [f"{part}/{exercise}" for kind, part, exercise in marks if kind == "exercise"]


def tidy(cell):
    """Keep a cell's text and tags, and nothing else that jupytext adds."""
    tags = list(cell.metadata.get("tags", []))
    cell.metadata = nbformat.from_dict({"tags": tags} if tags else {})
    return cell


def derive(name, root=ROOT):
    """Return the unexecuted notebook of the page `name`."""
    path = source_path(name, root)
    if not path.exists():
        raise LookupError(f"no source {path.relative_to(root)}")
    read = jupytext.read(path, fmt="py:percent")
    colab = nbformat.v4.new_code_cell(colab_code(address(root)), metadata={"tags": ["colab", "remove-cell"]})
    # The title stays first: Jupyter Book takes the page's name from it.
    cells = [tidy(cell) for cell in read.cells]
    cells.insert(1 if cells and cells[0].cell_type == "markdown" else 0, colab)
    exercises = exercises_of(cells)
    for cell in cells:
        cell.source = generated(cell.source, root)
        (blocks.fill if cell.cell_type == "markdown" else fold.fold)(cell)
    head.fill(cells, [find(exercise).minutes for exercise in exercises])
    for index, cell in enumerate(cells):
        cell.id = cell_id(index, cell)
    metadata = {"kernelspec": KERNEL, "language_info": {"name": "python"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)
