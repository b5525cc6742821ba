"""Which of a notebook's names a statement binds, reads and changes, by Python's own analysis of scopes.

Local names and parameters are nobody's business; only names of the notebook itself are.  Nothing is
executed.  Standard library alone, because it also runs in the sandbox.
"""

from __future__ import annotations

import ast
import re
import symtable
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field

FUNCTIONS = (ast.FunctionDef, ast.AsyncFunctionDef)
#: Methods that change what they are called on, also where their value is used.
CHANGING = frozenset(
    "append appendleft extend insert add update setdefault pop popitem popleft remove discard clear sort "
    "reverse register write write_text".split()
)
#: Functions that change their first argument.
CHANGES_FIRST = frozenset(
    "shuffle heappush heappop heapify heapreplace insort insort_left insort_right setattr delattr setitem".split()
)
#: Of a module only calls that set something count: ``np.random.seed(0)``, ``warnings.simplefilter(...)``.
SETS = re.compile(r"(?:set|seed|manual_seed|simplefilter|filterwarnings|use|enable|disable)")
#: Calls that write a file: ``path.write_text(...)``, ``numpy.save(...)``, ``table.to_csv(...)``.
STORES = re.compile(r"(?:write|save|dump|to_)")
WRITING = frozenset(mode + kind for mode in "wax" for kind in ("", "b", "t", "+"))
#: Stands for what every function may need: how deep Python may recurse, where modules lie, and files.
ALWAYS, PATH, FILE = "<always>", "<sys.path>", "<file {}>"


@dataclass
class Statement:
    """One statement of the notebook's own level, with the names of the notebook that it deals with.

    Args:
        tree: the statement.
        text: its source.
        cell: the number of its code cell, from 1.
        binds: names that it gives a value.
        reads: names that it, or a function in it, looks up.
        changes: names whose value it changes in place.
        sets: names that a function in it binds when it is called (``global``).
    """

    tree: ast.stmt
    text: str
    cell: int = 1
    binds: set[str] = field(default_factory=set)
    reads: set[str] = field(default_factory=set)
    changes: set[str] = field(default_factory=set)
    sets: set[str] = field(default_factory=set)


def looked_up(statement: Statement) -> Statement:
    """The statement with its names filled in; ``SyntaxError`` for what only a function may hold."""
    table = symtable.symtable(statement.text, "cell", "exec")
    for symbol in table.get_symbols():
        if symbol.is_assigned() or symbol.is_imported():
            statement.binds.add(symbol.get_name())
        if symbol.is_referenced():
            statement.reads.add(symbol.get_name())
    waiting = table.get_children()
    while waiting:
        inner = waiting.pop()
        waiting += inner.get_children()
        for symbol in inner.get_symbols():
            if symbol.is_global() and symbol.is_referenced():
                statement.reads.add(symbol.get_name())
            if symbol.is_global() and symbol.is_assigned():
                statement.sets.add(symbol.get_name())
    # Python enters := within a comprehension in the comprehension's own table.
    statement.binds |= {n.target.id for n in executed(statement.tree) if isinstance(n, ast.NamedExpr)}
    statement.reads |= _files_in(statement.tree)
    if isinstance(statement.tree, (ast.Import, ast.ImportFrom)):
        statement.reads |= _asked_of_files(statement.tree)
    return statement


def _asked_of_files(tree: ast.Import | ast.ImportFrom) -> set[str]:
    """An import may need a file that the notebook writes, or a path that it sets."""
    modules = [tree.module or ""] if isinstance(tree, ast.ImportFrom) else [a.name for a in tree.names]
    own = {m.split(".")[0] for m in modules} - set(sys.stdlib_module_names)
    return {FILE.format(f"{m}.py") for m in own} | ({PATH} if own else set())


def is_star(tree: ast.stmt) -> bool:
    """Whether a statement is ``from ... import *``."""
    return isinstance(tree, ast.ImportFrom) and tree.names[0].name == "*"


def executed(tree: ast.AST) -> Iterator[ast.AST]:
    """What is executed when a statement is: all in it but the bodies of functions."""
    waiting: list[ast.AST] = [tree]
    while waiting:
        node = waiting.pop()
        yield node
        if isinstance(node, FUNCTIONS):
            waiting += [*node.decorator_list, *node.args.defaults, *filter(None, node.args.kw_defaults)]
        elif not isinstance(node, ast.Lambda):
            waiting += ast.iter_child_nodes(node)


def root(node: ast.AST) -> str | None:
    """The name at the beginning of ``name.attribute[key].method()``."""
    while True:
        if isinstance(node, (ast.Attribute, ast.Subscript, ast.Starred)):
            node = node.value
        elif isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute):
            node = node.func
        else:
            return node.id if isinstance(node, ast.Name) else None


def names_in(node: ast.AST) -> set[str]:
    """All names in an expression."""
    return {n.id for n in ast.walk(node) if isinstance(n, ast.Name)}


def called(tree: ast.AST) -> Iterator[tuple[str, list[ast.expr]]]:
    """The functions that executed code calls by a plain name, decorators among them, with their arguments."""
    for node in executed(tree):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name):
            yield node.func.id, list(node.args)
        if isinstance(node, (*FUNCTIONS, ast.ClassDef)):
            yield from ((d.id, []) for d in node.decorator_list if isinstance(d, ast.Name))


def changed(nodes: Iterator[ast.AST], modules: set[str]) -> set[str]:
    """Names whose value code changes in place: ``T[k] =``, ``f.attr =``, ``T.append(x)``, ``shuffle(T)``.

    A loop over ``T`` that changes its variable changes ``T``; so does a second name for ``T``.
    ``modules`` are the names that imports bind: of these a call changes nothing unless it sets something.
    """
    found: set[str] = set()
    other_names: dict[str, set[str]] = {}
    for node in nodes:
        found |= _by_assignment(node) | _by_call(node, modules)
        for name, of in _second_names(node):
            other_names.setdefault(name, set()).update(of - {name})
    waiting = list(found)
    while waiting:
        more = other_names.get(waiting.pop(), set()) - found
        found |= more
        waiting += more
    return found


def _by_assignment(node: ast.AST) -> set[str]:
    if not isinstance(node, (ast.Attribute, ast.Subscript)) or isinstance(node.ctx, ast.Load):
        return set()
    direct = node.value if isinstance(node, ast.Subscript) else None
    if isinstance(direct, ast.Call) and isinstance(direct.func, ast.Name) and direct.func.id == "globals":
        key = node.slice.value if isinstance(node.slice, ast.Constant) else None
        return {key} if isinstance(key, str) else set()
    return {name} if (name := root(node)) else set()


def _by_call(node: ast.AST, modules: set[str]) -> set[str]:
    alone = node.value if isinstance(node, ast.Expr) else None
    if isinstance(node, (*FUNCTIONS, ast.ClassDef)):  # @table.entry("name")
        made = {root(d.func if isinstance(d, ast.Call) else d) for d in node.decorator_list if not _plain(d)}
        return {name for name in made if name and name not in modules}
    call = node if isinstance(node, ast.Call) else alone if isinstance(alone, ast.Call) else None
    if call is None:
        return set()
    method = call.func.attr if isinstance(call.func, ast.Attribute) else getattr(call.func, "id", "")
    found = {root(call.args[0])} if method in CHANGES_FIRST and call.args else set()
    if isinstance(call.func, ast.Attribute) and (name := root(call.func)):
        inner = root(call.func.value) if name in modules else None
        if name not in modules:
            found |= {name} if method in CHANGING or call is alone else set()
        elif SETS.match(method) or (inner == "sys" and method in CHANGING):
            found |= {name}
    return {name for name in found if name} | _for_all(call)


def _plain(decorator: ast.expr) -> bool:
    return isinstance(decorator.func if isinstance(decorator, ast.Call) else decorator, ast.Name)


def _for_all(call: ast.Call) -> set[str]:
    """What a call changes beside names: the path of imports, Python's depth, a file."""
    names = {getattr(n, "attr", None) or getattr(n, "id", "") for n in ast.walk(call.func)}
    found = {ALWAYS} if "setrecursionlimit" in names else set()
    found |= {PATH} if {"sys", "path"} <= names or names & {"makedirs", "mkdir", "chdir"} else set()
    opened = "open" in names and any(isinstance(a, ast.Constant) and a.value in WRITING for a in _arguments(call))
    return found | (_files_in(call) if opened or any(map(STORES.match, names)) else set())


def _arguments(call: ast.Call) -> list[ast.expr]:
    return [*call.args, *(k.value for k in call.keywords)]


def _files_in(tree: ast.AST) -> set[str]:
    """The files that a tree names, as far as texts in it look like one."""
    texts = (n.value for n in ast.walk(tree) if isinstance(n, ast.Constant) and isinstance(n.value, str))
    found = (re.fullmatch(r"(?:.*[/\\])?([\w-]+\.\w{1,6})", text) for text in texts if len(text) < 200)
    return {FILE.format(name[1]) for name in found if name}


def _second_names(node: ast.AST) -> Iterator[tuple[str, set[str]]]:
    """Names that may stand for a part of others' values: of loops, ``with``, and plain assignments."""
    if isinstance(node, (ast.For, ast.AsyncFor, ast.comprehension)):
        yield from ((name, names_in(node.iter)) for name in names_in(node.target))
    elif isinstance(node, ast.withitem) and node.optional_vars is not None:
        yield from ((name, names_in(node.context_expr)) for name in names_in(node.optional_vars))
    elif isinstance(node, (ast.Assign, ast.NamedExpr)) and (of := root(node.value)):
        targets = node.targets if isinstance(node, ast.Assign) else [node.target]
        yield from ((t.id, {of}) for t in targets if isinstance(t, ast.Name))
