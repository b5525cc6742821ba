"""Every example in a docstring runs: an indented block behind a paragraph that ends in two colons."""

import ast
import re
import textwrap
from pathlib import Path

import lmtune
from lmtune import Config, Float, Integer
from lmtune.training.history import Evaluated

#: So that an example takes a moment: what it says of sizes is made small.
SMALLER = {r"steps=\d+": "steps=20", r"evaluate_every=\d+": "evaluate_every=10", r"trials=\d+": "trials=2"}


def examples():
    """Code blocks of all docstrings, by the name of what they explain."""
    for path in sorted(Path(lmtune.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf8"))):
            if isinstance(node, (ast.Module, ast.FunctionDef, ast.ClassDef)):
                blocks = re.findall(r"::\n\n((?:(?: {4}.*)?\n)+)", (ast.get_docstring(node) or "") + "\n")
                yield from ((f"{path.stem}.{getattr(node, 'name', '')}", textwrap.dedent(block)) for block in blocks)


def test_the_examples_run():
    found = list(examples())
    assert [name for name, _ in found] == ["search.search"], "a new example: give it what it needs below"
    _, tokenizer = lmtune.load("pocket-mini")
    rows = lmtune.windows([f"the sum of {i} and the next number" for i in range(12)], tokenizer, context=16)
    space = {"lmtune": lmtune, "Float": Float, "Integer": Integer, "Config": Config, "Evaluated": Evaluated}
    space |= {"train": rows[:8], "validation": rows[8:]}
    for _, code in found:
        for pattern, small in SMALLER.items():
            code = re.sub(pattern, small, code)
        exec(code, space)
    assert space["result"].value > 0
