"""Whether a statement gives a name a function, or the result of one.

Standard library alone, because it also runs in the sandbox.
"""

from __future__ import annotations

import ast
from collections.abc import Iterator, Sequence

from lmtune.grading.scopes import FUNCTIONS, Statement, executed

#: Calls that make a function of a function.
MAKERS = frozenset("partial lru_cache cache wraps vectorize jit njit script compile no_grad".split())


def makers(name: str, body: Sequence[Statement]) -> list[int]:
    """The places of the statements that give ``name`` a function, as far as one can see.

    ``updates = updates(...)`` hides a function under its result; it is none of them, nor is a loop over the name.
    Where nothing in the notebook looks like a function, whatever binds the name counts.
    """
    binding = [i for i, s in enumerate(body) if name in s.binds]
    defining = [i for i in binding if any(_defines(name, node) for node in executed(body[i].tree))]
    if not defining:
        return binding
    stub = all(is_stub(f) for f in functions(body) if f.name == name)
    return [i for i in binding if i in defining or any(_is_function(v, name, stub) for v in _values(body[i].tree))]


def functions(body: Sequence[Statement]) -> Iterator[ast.FunctionDef | ast.AsyncFunctionDef]:
    """The functions that the notebook's own level defines, also within ``if`` and ``try``."""
    return (node for s in body for node in executed(s.tree) if isinstance(node, FUNCTIONS))


def is_stub(tree: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function's body is a docstring and a placeholder: the stub as it was given."""
    rest = [s for s in tree.body if not (isinstance(s, ast.Expr) and isinstance(s.value, ast.Constant))]
    return all(isinstance(s, (ast.Pass, ast.Raise)) or (isinstance(s, ast.Return) and _nothing(s.value)) for s in rest)


def _nothing(value: ast.expr | None) -> bool:
    return value is None or (isinstance(value, ast.Constant) and value.value in (None, ...))


def _defines(name: str, node: ast.AST) -> bool:
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
        return node.name == name
    if isinstance(node, ast.alias):
        return (node.asname or node.name).split(".")[0] == name
    if isinstance(node, ast.Assign) and isinstance(node.value, ast.Lambda):
        return any(isinstance(target, ast.Name) and target.id == name for target in node.targets)
    return False


def _values(tree: ast.stmt) -> Iterator[ast.expr]:
    return (n.value for n in executed(tree) if isinstance(n, (ast.Assign, ast.AnnAssign)) and n.value)


def _is_function(value: ast.expr, name: str, stub: bool) -> bool:
    """Whether an expression gives a function: a name, one made of a function, or any call beside a mere stub."""
    if not isinstance(value, ast.Call):
        return isinstance(value, (ast.Name, ast.Attribute, ast.IfExp)) or (stub and isinstance(value, ast.Tuple))
    called = getattr(value.func, "attr", None) or getattr(value.func, "id", None)
    if called == name:
        return False
    given = any(isinstance(a, ast.Name) and a.id == name for a in value.args)
    return given or called in MAKERS or stub
