"""What counts of a notebook: an ordinary notebook's answers are found whole, and nothing else of it runs."""

import json
import sys
import textwrap

import pytest

from lmtune.grading import inside, notebook_code


@pytest.fixture
def answered(as_inside):
    """A function that takes ``f`` from cells as the grader does, and what its call with an argument gives."""

    def call(*cells, files=(), argument=3):
        for name, text in dict(files).items():
            (as_inside / name).write_text(text)
        found = taken(as_inside, cells)
        replies = []
        request = {"code": found["code"]["f"], "name": "f", "cases": [[argument]], "empty": False}
        inside.run(request, replies.append)
        return replies[0].get("value", replies[0])

    return call


def taken(folder, cells, **metadata):
    book = {"nbformat": 4, "metadata": metadata, "cells": [code_cell(c) if isinstance(c, str) else c for c in cells]}
    (folder / "n.ipynb").write_text(json.dumps(book))
    return notebook_code.taken({"take": ["f"], "notebook": str(folder / "n.ipynb"), "mark": "**Your answer:**"})


def code_cell(source, **metadata):
    return {"cell_type": "code", "source": source, "metadata": metadata, "outputs": [], "execution_count": None}


#: Each gives 6 for 3, and raises where anything runs that does not count.
RIGHT = {
    "local names and parameters of extra cells": (
        "def losses_after(documents):\n    return [1, 2]",
        "mine = absent_package.load()\nplain, augmented = losses_after(mine)\nx = explode()",
        "def f(x):\n    plain = mine = 2 * x\n    return max(plain, *[augmented for augmented in (mine, 0)])",
    ),
    "a star import": ("from math import *", "def f(x):\n    return floor(2 * x + pi - 3)"),
    "a star import that hides a builtin": ("from helpers import *", "def f(x):\n    return abs(x)"),
    "shell within a condition": ("COLAB = True\nif COLAB:\n    !pip install x\n    K = 2", "def f(x):\n    return K * x"),
    "shell of several lines": ("!pip install a \\\n  'b\n%matplotlib inline\nK = 2", "def f(x):\n    return K * x"),
    "brackets in a command of the shell": ("!echo it's\n!echo ((\n%matplotlib inline\nK = 2", "def f(x):\n    return K * x"),
    "shell alone within a condition": ("COLAB = False\nif COLAB:\n    !pip install x\nelse:\n    K = 2", "def f(x):\n    return K * x"),
    "a decorator further down": ("@twice\ndef f(x):\n    return x", "def twice(g):\n    return lambda x: 2 * g(x)"),
    "wrapped later by the notebook's own": ("def twice(g):\n    return lambda x: 2 * g(x)", "def f(x):\n    return x", "f = twice(f)"),
    "type hints are asked for": ("from __future__ import annotations\nimport typing", "class P:\n    x: P\ndef f(x):\n    return 2 * x if typing.get_type_hints(P)['x'] is P else 0"),
    "annotations are values": ("def f(x: int):\n    return 2 * x if f.__annotations__['x'] is int else 0",),
    "a long text with line ends of Windows": ("T = \"\"\"a\r\nb\"\"\"", "def f(x):\n    return x + len(T)"),
    "pip without a sign": ("pip install wheel\nK = 2", "def f(x):\n    return K * x"),
    "questions": ("K = 2\nlen?\n?len\nK??\n%timeit K", "def f(x):\n    return K * x"),
    "what the shell says": ("files = !ls -l\nK = 2", "def f(x):\n    return K * x"),
    "timed": ("%time K = 2", "%%time\nL = 1", "def f(x):\n    return K * x * L"),
    "captured": ("%%capture out\n%matplotlib inline\nK = 2", "def f(x):\n    return K * x"),
    "another language": ("%%bash\nrm -rf (", "%%html\n<b>", "%%javascript\nlet f = 3", "def f(x):\n    return 2 * x"),
    "timeit keeps its names": ("K = 2", "%%timeit\nK = 5", "def f(x):\n    return K * x"),
    "modulo at the beginning of a line": ("def f(x):\n    return (2 * x\n%\n100)",),
    "modulo behind a backslash": ("def f(x):\n    return 2 * x \\\n% 100",),
    "magic in a text": ('T = """\n%matplotlib\n!ls\n"""', "def f(x):\n    return 2 * x if '!ls' in T and '%m' in T else T"),
    "a table that a loop fills": ("T = {}\nfor k in range(9):\n    T[k] = 2 * k", "def f(x):\n    return T[x]"),
    "a table filled through another name": ("T = [[0], [0]]\nfor row in T:\n    row.append(3)", "def f(x):\n    return T[0][1] + T[1][1]"),
    "an entry": ("T = {}", "T[3] = 6", "def f(x):\n    return T[x]"),
    "a table filled by a function": ("T = {}", "def put(k, v):\n    T[k] = v", "put(3, 6)", "def f(x):\n    return T[x]"),
    "a table given to a function": ("T = []", "def fill(t, n):\n    t.extend([n] * 9)", "fill(T, 6)", "def f(x):\n    return T[x]"),
    "a table filled by a decorator": (
        "T = {}\ndef entry(g):\n    T[g.__name__] = g\n    return g",
        "@entry\ndef double(x):\n    return 2 * x",
        "def f(x):\n    return T['double'](x)",
    ),
    "an object's method that fills": ("class Box:\n    def learn(self, x):\n        self.x = x\nb = Box()", "b.learn(2)", "def f(x):\n    return b.x * x"),
    "an attribute of the function": ("def f(x):\n    return f.factor * x", "f.factor = 2"),
    "an attribute set by name": ("def f(x):\n    return f.factor * x", "setattr(f, 'factor', 2)"),
    "with": ("with open('k.txt', 'w') as g:\n    g.write('2')\nwith open('k.txt') as g:\n    K = int(g.read())", "def f(x):\n    return K * x"),
    "walrus": ("if (K := 2) > 1: pass\nL = [y := 1 for _ in 'a']", "def f(x):\n    return K * x * y"),
    "augmented": ("K = 1\nK += 1", "def f(x):\n    return K * x"),
    "unpacked": ("(K, *_), [L] = (2, 3), [1]", "def f(x):\n    return K * x * L"),
    "a loop's name": ("for K in (7, 2):\n    pass", "def f(x):\n    return K * x"),
    "match": ("match {'k': 2}:\n    case {'k': K}:\n        pass", "def f(x):\n    return K * x"),
    "global": ("def set_up():\n    global K\n    K = 2", "set_up()", "def f(x):\n    return K * x"),
    "the notebook's dictionary": ("globals()['K'] = 2", "def f(x):\n    return K * x"),
    "decorated": ("import functools\n@functools.lru_cache(maxsize=None)\ndef f(x):\n    return 2 * x",),
    "decorated by the notebook's own": ("def twice(g):\n    return lambda x: 2 * g(x)", "@twice\ndef f(x):\n    return x"),
    "classes": ("class A:\n    K = 2", "class B(A):\n    def of(self, x):\n        return self.K * x", "def f(x):\n    return B().of(x)"),
    "a data class": ("from __future__ import annotations\nimport dataclasses", "@dataclasses.dataclass\nclass P:\n    x: float\n    k: P | int = 2", "def f(x: Any):\n    return P(x).k * x"),
    "defaults and annotations": ("from typing import List\nK = 2", "def f(x: int, k=K) -> List[int]:\n    return k * x"),
    "an import that may fail": ("try:\n    import absent_package as a\nexcept ImportError:\n    a = None", "def f(x):\n    return 2 * x if a is None else 0"),
    "a conditional definition": ("import sys\nif sys.version_info > (3,):\n    def f(x):\n        return 2 * x\nelse:\n    f = None",),
    "a lambda": ("f = lambda x: 2 * x",),
    "another name of a function": ("def g(x):\n    return 2 * x", "f = g"),
    "a part of a function": ("from functools import partial\nfrom operator import mul", "f = partial(mul, 2)"),
    "a method": ("class S:\n    def go(self, x):\n        return 2 * x", "f = S().go"),
    "an object that is called": ("class f:\n    def __init__(self, x): pass", "class S:\n    def __call__(self, x):\n        return 2 * x\nf = S()"),
    "made by a factory beside the stub": ("def f(x):\n    ...", "def make(k):\n    return lambda x: k * x", "f = make(2)"),
    "wrapped later": ("import functools", "def f(x):\n    return 2 * x", "f = functools.cache(f)"),
    "hidden by its result": ("def f(x):\n    return 2 * x", "f = f(3)", "f = [f, 1]", "for f in range(3): pass"),
    "hidden before the check sees it": ("def f(x):\n    return 2 * x\ncheck('homework/f', f)", "f = f(3)"),
    "names used again below": ("K = 2\ndef mean(x):\n    return K * x", "def f(x):\n    return mean(x)\n\ncheck('h/f', f)", "K = explode()\ndef mean(model):\n    return 0"),
    "defined below": ("def f(x):\n    return K * g(x)\ncheck('h/f', f)", "K = 2", "def g(x):\n    return x"),
    "the stub stands above": ("def f(x):\n    ...\ncheck('h/f', f)", "def f(x):\n    return 2 * x"),
    "a cell that fails": ("K = 2\nraise SystemExit", "1 / 0", "def f(x):\n    return K * x"),
    "a statement that fails beside": ("T = {3: 6}", "T.show()", "def f(x):\n    return T[x]"),
    "one line of a cell is no Python": ("def f(x):\n    return 2 * x\nprint(f\"{f(}\")\nls -la",),
    "a newer f-string": ("def f(x):\n    return 2 * x\n\nprint(f\"{d[\"a\"]}\")",),
    "top-level await": ("await load()", "def f(x):\n    return 2 * x\nawait f"),
    "several in one line": ("K = 1; L = 2; M = explode()", "def f(x): return K * L * x"),
    "letters of all kinds": ("größe = 2; 名 = 1", "def f(x): return größe * x * 名  # — ✓"),
    "line ends of Windows": ("K = 2\r\nif K:\r\n    L = 1\r\n", "def f(x):\r\n    return K * x * L\r\n"),
    "a helper module that a cell writes": ("%%writefile helpers.py\nK = 2\nT = '''a'''", "import helpers", "def f(x):\n    return helpers.K * x"),
    "a path that is set": ("import os, sys\nos.makedirs('lib', exist_ok=True)\nopen('lib/mine.py', 'w').write('K = 2')\nsys.path.append('lib')", "from mine import K\ndef f(x):\n    return K * x"),
    "a file that the notebook writes": ("import pathlib, json\njson.dump(2, open('k.json', 'w'))\npathlib.Path('l.txt').write_text('1')", "K = json.load(open('k.json'))", "L = int(pathlib.Path('l.txt').read_text())", "def f(x):\n    return K * x * L"),
    "deep recursion, as in Jupyter": ("def deep(n):\n    return n and 1 + deep(n - 1)\ndef f(x):\n    return 2 * x + deep(1500) - 1500",),
    "display": ("def f(x):\n    display(x)\n    return 2 * x if get_ipython() is None else 0",),
    "the source is asked for": ("import inspect\ndef f(x):\n    return 2 * x if 'return' in inspect.getsource(f) else 0",),
    "main": ("if __name__ == '__main__':\n    K = 2", "def f(x):\n    return K * x"),
    "names in inner functions and comprehensions": ("K = 2\nL = [1]", "def f(x):\n    def g(y):\n        return [K * y for _ in L]\n    return g(x)[0]"),
    "a name of the notebook in a class of the function": ("K = 2", "def f(x):\n    class A:\n        k = K\n    return A.k * x"),
    "an own name hides a builtin": ("def sum(x):\n    return 2 * x", "def f(x):\n    return sum(x)"),
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_an_ordinary_notebook_keeps_its_right_answer(answered, name):
    assert answered(*RIGHT[name], files={"helpers.py": "def abs(x):\n    return 2 * x\n"}) == 6


@pytest.mark.parametrize("name", [name for name in RIGHT if "Python" not in name and "f-string" not in name])
def test_what_jupyter_understands_is_read_whole(tmp_path, name):
    assert not [r for r in taken(tmp_path, RIGHT[name])["remarks"] if "valid" in r]


def test_nothing_runs_but_what_is_needed(tmp_path):
    cells = [
        "import math, time, lmtune\nfrom lmtune import card, check, hint",
        "K = 2",
        "history = lmtune.fit()\nT = [history]\nT.append(K)",
        "def f(x):\n    history = K * math.floor(x)\n    return history\n\n\ncheck('h/f', f)",
        "import random",
        "print(f(3))\nK = 5",
    ]
    found = taken(tmp_path, cells)
    assert found["code"]["f"].split("\n") == [
        "import math",
        "K = 2",
        "def f(x):",
        "    history = K * math.floor(x)",
        "    return history",
    ]
    assert [c["for"] for c in found["cells"]] == [["f"], ["f"], [], ["f"], [], []]
    assert found["cells"][2]["why_not"] == "no graded function needs it"


def test_a_cell_that_is_no_python_is_not_called_needless(tmp_path):
    found = taken(tmp_path, ["def f(x):\n    return x)", "print(3)"])
    assert "remark" in found["cells"][0]["why_not"] and found["remarks"][0].startswith("code cell 1 is no valid Python")
    assert found["cells"][1]["why_not"] == "no graded function needs it"


def test_a_stub_hidden_by_its_result_stays_a_stub(tmp_path):
    assert taken(tmp_path, ["def f(x):\n    ...", "f = f(3)"])["code"]["f"] == "def f(x):\n    ..."


def test_a_setting_of_a_module_counts_and_another_call_of_it_does_not(tmp_path):
    cells = ["import random", "random.seed(3)", "random.choice([1])", "def f(x):\n    return random.random()"]
    code = taken(tmp_path, cells)["code"]["f"]
    assert "seed" in code and "choice" not in code


def test_a_cell_that_is_newer_python_says_so(tmp_path, monkeypatch):
    version = f"{sys.version_info[0]}.{sys.version_info[1] + 1}.0"
    remarks = taken(tmp_path, ["x = 1"], language_info={"name": "python", "version": version})["remarks"]
    assert len(remarks) == 1 and f"written with Python {version[:-2]} and is read with Python" in remarks[0]
    assert taken(tmp_path, ["x = 1"], language_info={"version": "3.6.1"})["remarks"] == []
    if sys.version_info < (3, 12):
        (remark,) = taken(tmp_path, ['x = 1\n\ny = f"{d["a"]}"'])["remarks"]
        assert "code cell 1" in remark and "its line 3" in remark and "Python 3.12 and newer allow more" in remark


def test_cells_of_other_languages_and_kinds_are_left_out(tmp_path):
    cells = [
        {"cell_type": "markdown", "source": "def f(x): return 1"},
        {"cell_type": "raw", "source": "def f(x): return 2"},
        code_cell("def f(x): return 2 * x", vscode={"languageId": "python"}, id="a", outputId="b"),
        code_cell("def f(x) { 3 }", vscode={"languageId": "javascript"}),
        code_cell(""),
        code_cell(["def g(x):\n", "    return 5"]),
        {"cell_type": "code"},
        {"cell_type": "markdown", "source": "**Your answer:**\nsix"},
    ]
    found = taken(tmp_path, cells, colab={"provenance": [], "toc_visible": True}, accelerator="GPU")
    assert found["code"]["f"] == "def f(x): return 2 * x" and found["remarks"] == [] and found["open"] == "six"
    assert taken(tmp_path, cells, kernelspec={"name": "ir", "language": "R"})["remarks"] == [
        "the notebook names a kernel for 'R'; it was read as Python"
    ]


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_the_file_may_be_written_in_several_ways(tmp_path, encoding):
    book = json.dumps({"cells": [code_cell("def f(x): return 'é'")]}, ensure_ascii=False, indent=1)
    (tmp_path / "n.ipynb").write_text(book, encoding=encoding, newline="\r\n")
    found = notebook_code.taken({"take": ["f"], "notebook": str(tmp_path / "n.ipynb")})
    assert found["code"]["f"] == "def f(x): return 'é'"


def test_outputs_are_dropped_while_the_file_is_read(tmp_path):
    cell = code_cell("def f(x): return 1")
    cell["outputs"] = [{"output_type": "display_data", "data": {"image/png": "A" * 30_000_000}}]
    (tmp_path / "n.ipynb").write_text(json.dumps({"cells": [cell]}))
    from lmtune.grading import notebook_file

    _, (read,) = notebook_file.read(tmp_path / "n.ipynb")
    assert "outputs" not in read and notebook_file.source_of(read) == "def f(x): return 1"


@pytest.mark.parametrize(
    "source, why",
    [
        ("-" * 200_000 + "1", "nested too deep"),
        ("x = " + "(" * 5_000, "left out"),
        ("def f(x):\nreturn 1", "expected an indented block"),
        ("\x00", "left out"),
        ("  x = (", "left out"),
        ("x = 1\ndef broken(:\n", "its line 2"),
        ("a.b" * 60_000, "left out"),
    ],
)
def test_what_is_no_python_is_told_and_harms_nothing_else(tmp_path, source, why):
    found = taken(tmp_path, [source, "def f(x):\n    return 1"])
    assert found["code"]["f"] == "def f(x):\n    return 1"
    assert len(found["remarks"]) == 1 and "code cell 1" in found["remarks"][0] and why in found["remarks"][0]


def test_an_early_failure_is_told_where_the_answer_fails_by_it(answered):
    said = answered("K = 1 / 0", "def f(x):\n    return K * x")["error"]
    assert said.startswith("NameError") and "before that ZeroDivisionError" in said and "K = 1 / 0" in said
    said = answered("import absent_module", "def f(x):\n    return absent_module.f(x)")["error"]
    assert "hand in a folder with it and the notebook" in said


def test_an_error_that_fails_to_say_what_it_is(answered):
    cell = textwrap.dedent("""\
        class Bad(BaseException):
            def __str__(self):
                raise KeyboardInterrupt
        def f(x):
            raise Bad
    """)
    assert "does not say what it is" in answered(cell)["error"]
