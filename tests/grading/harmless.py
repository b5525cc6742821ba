"""Honest notebooks: what students do to a homework that must not cost a point.

Each change takes a solved notebook, whatever the homework, and the solutions by the name of their function.
Those of ``CELLS`` change the notebook; those of ``FILES`` write it in their way and say what is handed in.
"""

from __future__ import annotations

import ast
import copy
import json
from collections.abc import Callable
from pathlib import Path

Solutions = dict[str, str]
CELLS: dict[str, Callable[[dict, Solutions], None]] = {}
FILES: dict[str, Callable[[dict, Solutions, Path], Path]] = {}


def cell_change(change):
    CELLS[change.__name__] = change
    return change


def file_change(change):
    FILES[change.__name__] = change
    return change


def code(source: str, **metadata) -> dict:
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": 1}


def code_cells(book: dict) -> list[dict]:
    return [cell for cell in book["cells"] if cell["cell_type"] == "code"]


def graded(book: dict, solution: str) -> dict:
    """The cell that holds a solution."""
    return next(cell for cell in code_cells(book) if solution in cell["source"])


def before(book: dict, source: str) -> None:
    book["cells"].insert(0, code(source))


def after(book: dict, source: str) -> None:
    book["cells"].append(code(source))


def rewritten(book: dict, solutions: Solutions, change: Callable[[str, str], str]) -> None:
    """Each solution replaced by ``change(function, solution)`` where it stands."""
    for function, solution in solutions.items():
        cell = graded(book, solution)
        cell["source"] = cell["source"].replace(solution, change(function, solution))


def written(book: dict, path: Path, encoding: str = "utf-8", newline: str | None = None) -> Path:
    path.write_text(json.dumps(book, ensure_ascii=False, indent=1), encoding=encoding, newline=newline)
    return path


def indented(text: str) -> str:
    return "\n".join(f"    {line}" if line else line for line in text.split("\n"))


@cell_change
def plots(book, solutions):
    after(
        book,
        "import matplotlib.pyplot as plt\nplt.rcParams['figure.dpi'] = 80\nfig, ax = plt.subplots()\nax.plot([1, 2])\nplt.show()",
    )


@cell_change
def an_experiment_with_the_names_of_locals(book, solutions):
    """The worst fault there was: local names of a function taken for names of the notebook."""
    for solution in solutions.values():
        names = sorted(
            {n.id for n in ast.walk(ast.parse(solution)) if isinstance(n, ast.Name) and isinstance(n.ctx, ast.Store)}
        )
        names += sorted({a.arg for a in ast.walk(ast.parse(solution)) if isinstance(a, ast.arg)})
        before(book, f"{', '.join(names)}, *rest = losses_after(mine)")
        after(book, f"for {', '.join(names)} in absent_runs():\n    history.append({names[0]})")


@cell_change
def magics(book, solutions):
    before(
        book, "%load_ext autoreload\n%autoreload 2\n%matplotlib inline\n%config InlineBackend.figure_format = 'retina'"
    )


@cell_change
def shell(book, solutions):
    before(
        book,
        "!pip install -q lmtune\nfiles = !ls -l\nif files:\n    !nvidia-smi \\\n        -L\nelse:\n    %cd /content",
    )


@cell_change
def pip_without_a_sign(book, solutions):
    before(book, "pip install wheel")


@cell_change
def magics_within_graded_cells(book, solutions):
    rewritten(book, solutions, lambda function, s: f"%matplotlib inline\n!date\n{s}\n{function}?\n%timeit {function}")


@cell_change
def timed_cells(book, solutions):
    for solution in solutions.values():
        cell = graded(book, solution)
        cell["source"] = f"%%time\n{cell['source']}"


@cell_change
def cells_of_other_languages(book, solutions):
    for source in (
        "%%bash\nrm -rf ( &",
        "%%html\n<b>{</b>",
        "%%javascript\nlet f = (",
        "%%latex\n$x",
        "%%timeit\nabsent()",
    ):
        after(book, source)


@cell_change
def results_that_hide_their_function(book, solutions):
    for function in solutions:
        after(book, f"{function} = {function}(*absent_arguments)\nprint({function})")
        after(book, f"for {function} in range(3):\n    pass")


@cell_change
def stubs_left_above(book, solutions):
    for function, solution in solutions.items():
        head = next(n for n in ast.parse(solution).body if isinstance(n, ast.FunctionDef) and n.name == function)
        before(
            book,
            f"def {function}({ast.unparse(head.args)}):\n    '''To do.'''\n    ...\n\n\ncheck('homework/x', {function})",
        )


@cell_change
def solutions_twice(book, solutions):
    for solution in solutions.values():
        after(book, solution)


@cell_change
def helpers_below_the_check(book, solutions):
    rewritten(
        book,
        solutions,
        lambda function, s: f"from functools import wraps\n\n@with_care\n{s}" if s.startswith("def ") else s,
    )
    after(
        book,
        "def with_care(function):\n    @wraps(function)\n    def careful(*given, **more):\n        return function(*given, **more)\n    return careful",
    )


@cell_change
def colab(book, solutions):
    book["metadata"] = {
        "colab": {"provenance": [], "toc_visible": True, "gpuType": "T4"},
        "accelerator": "GPU",
        "kernelspec": {"name": "python3", "display_name": "Python 3"},
        "language_info": {"name": "python"},
    }
    book["nbformat_minor"] = 0
    for i, cell in enumerate(book["cells"]):
        cell["metadata"] = {
            "id": f"a{i}",
            "colab": {"base_uri": "https://localhost:8080/"},
            "outputId": "x",
            "cellView": "form",
        }
    before(
        book,
        '# @title Rate { display-mode: "form" }\nrate = 0.1  # @param {type:"slider", min:0, max:1}\nfrom google.colab import drive\ndrive.mount(\'/content/drive\')',
    )


@cell_change
def vs_code(book, solutions):
    book["metadata"] = {
        "kernelspec": {"display_name": ".venv", "language": "python", "name": "python3"},
        "language_info": {
            "codemirror_mode": {"name": "ipython", "version": 3},
            "name": "python",
            "version": "3.11.4",
            "pygments_lexer": "ipython3",
        },
    }
    for cell in code_cells(book):
        cell["metadata"] = {"vscode": {"languageId": "python"}}
    book["cells"].append(code("SELECT (", vscode={"languageId": "sql"}))


@cell_change
def line_ends_of_windows(book, solutions):
    for cell in book["cells"]:
        cell["source"] = cell["source"].replace("\n", "\r\n")


@cell_change
def sources_as_lines(book, solutions):
    for cell in book["cells"]:
        cell["source"] = cell["source"].splitlines(keepends=True)


@cell_change
def other_cells(book, solutions):
    book["cells"] = [
        one
        for cell in book["cells"]
        for one in (
            cell,
            {"cell_type": "markdown", "source": "def x(: % ! ?", "metadata": {}},
            {"cell_type": "raw", "source": "def", "metadata": {}},
            code(""),
            code("# a note"),
        )
    ]


@cell_change
def a_star_import(book, solutions):
    before(book, "from math import *\nfrom itertools import *")


@cell_change
def a_star_import_of_the_package(book, solutions):
    before(book, "from lmtune import *")


@cell_change
def newer_f_strings(book, solutions):
    after(book, 'print(f"{d["a"]} {", ".join(f"{x}" for x in y)}")')
    for solution in solutions.values():
        cell = graded(book, solution)
        cell["source"] += '\nprint(f"{d["a"]}")\n'


@cell_change
def cells_that_fail(book, solutions):
    for source in (
        "1 / 0",
        "raise SystemExit",
        "await load()",
        "def broken(:",
        "return 3",
        "x = ",
        "import absent_package",
    ):
        before(book, source)


@cell_change
def tables_filled_by_loops(book, solutions):
    before(
        book,
        "T = {}\nwith open('log.txt', 'w') as log:\n    for k in range(9):\n        T[k] = absent(k)\n        log.write(str(k))\nT.update(n := 3)\ntotal = 0\ntotal += n",
    )


@cell_change
def decorated_by_their_own(book, solutions):
    before(
        book,
        "import functools, time\n\nSECONDS = {}\n\ndef timed(function):\n    @functools.wraps(function)\n    def call(*given):\n        began = time.time()\n        try:\n            return function(*given)\n        finally:\n            SECONDS.setdefault(function.__name__, []).append(time.time() - began)\n    return call",
    )
    rewritten(book, solutions, lambda function, s: s.replace(f"def {function}(", f"@timed\ndef {function}("))


@cell_change
def methods_of_a_class(book, solutions):
    def as_method(function, solution):
        return f"class Solver{function.title()}:\n    def __init__(self):\n        self.calls = 0\n    def __call__(self, *given):\n        self.calls += 1\n        return self.solve(*given)\n    @staticmethod\n    def solve(*given):\n{indented(indented(solution))}\n        return {function}(*given)\n\n{function} = Solver{function.title()}()"

    rewritten(book, solutions, as_method)


@cell_change
def conditional_definitions(book, solutions):
    before(book, "try:\n    import absent_package as fast\nexcept ImportError:\n    fast = None")
    rewritten(
        book, solutions, lambda function, s: f"if fast is None:\n{indented(s)}\nelse:\n    {function} = fast.{function}"
    )


@cell_change
def made_by_a_factory(book, solutions):
    rewritten(
        book,
        solutions,
        lambda function, s: (
            f"def make_{function}():\n{indented(s)}\n    return {function}\n\n{function} = make_{function}()"
        ),
    )


@cell_change
def annotated(book, solutions):
    before(book, "from __future__ import annotations")
    rewritten(book, solutions, lambda function, s: s.replace("):\n", ") -> Sequence[Tensor] | None:\n", 1))


@cell_change
def prints_and_displays(book, solutions):
    rewritten(
        book,
        solutions,
        lambda function, s: (
            f"plain_{function} = None\n{s}\n\nplain_{function} = {function}\n\ndef {function}(*given):\n    display(given)\n    print('{{\"value\": 3}}')\n    return plain_{function}(*given)"
        ),
    )


@cell_change
def a_helper_that_a_cell_writes(book, solutions):
    before(book, "%%writefile my_answers.py\n" + "\n\n".join(solutions.values()))
    rewritten(book, solutions, lambda function, s: f"from my_answers import {function}")


@cell_change
def modulo_at_line_starts(book, solutions):
    before(book, "SEED = (2**40\n% 97\n% 13)\nTEXT = '''\n%matplotlib\n!ls\n'''\nprint('%d'\n% SEED)")
    rewritten(book, solutions, lambda function, s: s + "\n\nassert (7\n% 4) == 3")


@cell_change
def the_id_and_the_open_answer(book, solutions):
    before(book, 'STUDENT_ID = "ada"  # @param {type:"string"}')
    book["cells"].append({"cell_type": "markdown", "source": "**Your answer:** six – «é»", "metadata": {}})


@file_change
def helpers_in_a_file_beside(book, solutions, folder):
    (folder / "answers_of_mine.py").write_text("\n\n".join(solutions.values()), encoding="utf-8")
    rewritten(book, solutions, lambda function, s: f"from answers_of_mine import {function}")
    written(book, folder / "homework.ipynb")
    return folder


@file_change
def a_star_import_from_a_file_beside(book, solutions, folder):
    (folder / "answers_of_mine.py").write_text("\n\n".join(solutions.values()), encoding="utf-8")
    (folder / ".ipynb_checkpoints").mkdir()
    written(book, folder / ".ipynb_checkpoints" / "homework-checkpoint.ipynb")
    rewritten(book, solutions, lambda function, s: f"import answers_of_mine\n{function} = answers_of_mine.{function}")
    written(book, folder / "homework.ipynb")
    return folder


@file_change
def a_byte_order_mark(book, solutions, folder):
    return written(book, folder / "n.ipynb", "utf-8-sig", "\r\n")


@file_change
def capital_letters(book, solutions, folder):
    return written(book, folder / "HOMEWORK.IPYNB")


@file_change
def a_folder_deeper(book, solutions, folder):
    (folder / "inner").mkdir()
    (folder / "__MACOSX").mkdir()
    written(book, folder / "__MACOSX" / "._n.ipynb")
    written(book, folder / "inner" / "n.ipynb")
    return folder


@file_change
def thirty_megabytes_of_outputs(book, solutions, folder):
    code_cells(book)[0]["outputs"] = [
        {"output_type": "display_data", "metadata": {}, "data": {"image/png": "A" * 30_000_000}}
    ]
    return written(book, folder / "n.ipynb")


def changed(name: str, solved: dict, solutions: Solutions, folder: Path) -> Path:
    """Make one change to a copy of a solved notebook; what is handed in."""
    book = copy.deepcopy(solved)
    if name in FILES:
        return FILES[name](book, solutions, folder)
    CELLS[name](book, solutions)
    return written(book, folder / "n.ipynb")
