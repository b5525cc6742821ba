"""Where one line of the package can be changed, by the operators of mutmut.

Left alone is what no test should hold: type hints, imports, strings, messages, progress bars, and the numbers that
an exercise feeds to an answer, of which others would do as well.
"""

from __future__ import annotations

import difflib
import random
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import libcst as cst
import libcst.matchers as m
from libcst.metadata import MetadataWrapper, PositionProvider
from mutmut.mutation import mutators

#: Modules that draw progress and nothing else.
LEFT_OUT = ("bars.py", "training/progress_bar.py")
#: Changes of one line that a draw may hold.
MOST_A_LINE = 2

_OPERATORS = [(kind, operator) for kind, operator in mutators.mutation_operators if kind is not cst.BaseString]
_TALK = m.Call(func=m.Name("print") | m.Name("TypeVar") | m.Attribute(attr=m.Name("warn")))
_LEFT_ALONE = (
    m.Annotation()
    | m.Import()
    | m.ImportFrom()
    | m.Raise()
    | m.FormattedString()
    | m.If(test=m.Name("TYPE_CHECKING"))
    | _TALK
)
_BAR = m.Call(func=m.Name("tqdm"))
_ALIAS = m.Assign(value=m.Subscript())  #: of a type, where it stands outside of functions


@dataclass(frozen=True, eq=False)
class Change:
    """One change of the package."""

    file: str  #: of lmtune/
    line: int
    column: int
    lines: frozenset[int]  #: that run where the change does, as coverage may name them
    in_function: bool
    operator: str
    old: str
    new: str
    text: str  #: of the whole file
    diff: str

    @property
    def name(self) -> str:
        return f"{self.file}:{self.line}:{self.column} {self.operator}: {self.old} -> {self.new}"


@dataclass(frozen=True, eq=False)
class Site:
    """One place and one operator, which may know several changes of it."""

    file: str
    module: cst.Module
    node: cst.CSTNode
    operator: Any
    line: int
    column: int
    lines: frozenset[int]
    in_function: bool

    def change(self, pick: random.Random) -> Change | None:
        """One of the changes; None where it gives the same text or no Python."""
        new = pick.choice(_changed(self.operator, self.node))
        text = self.module.deep_replace(self.node, new).code
        if text == self.module.code or not _compiles(text):
            return None
        name = self.operator.__name__.removeprefix("operator_")
        old, after = (" ".join(self.module.code_for_node(node).split()) for node in (self.node, new))
        diff = "\n".join(difflib.unified_diff(self.module.code.splitlines(), text.splitlines(), n=0, lineterm=""))
        diff = diff.partition("+++ \n")[2]
        return Change(
            self.file, self.line, self.column, self.lines, self.in_function, name, old[:80], after[:80], text, diff
        )


def _compiles(text: str) -> bool:
    try:
        compile(text, "changed", "exec")
    except SyntaxError:
        return False
    return True


def sites(package: Path) -> list[Site]:
    """All places of the package, file by file."""
    files = sorted(path.relative_to(package).as_posix() for path in package.rglob("*.py"))
    return [
        site for file in files if file not in LEFT_OUT for site in sites_of(file, (package / file).read_text("utf8"))
    ]


def sites_of(file: str, text: str) -> list[Site]:
    """All places of one file."""
    wrapper = MetadataWrapper(cst.parse_module(text))
    positions = wrapper.resolve(PositionProvider)
    fed = _fed(wrapper.module, positions) if file.startswith("chapters/") else frozenset()
    return [
        Site(
            file, wrapper.module, node, operator, lines[0], positions[node].start.column, frozenset(lines), in_function
        )
        for node, lines, in_function in _places(wrapper.module, positions, 1, False)
        for kind, operator in _OPERATORS
        if isinstance(node, kind) and _changed(operator, node)
        if not (isinstance(node, cst.BaseNumber) and fed and (lines[0] in fed or not in_function))
    ]


def _fed(module: cst.Module, positions: Mapping[cst.CSTNode, Any]) -> frozenset[int]:
    """The lines of functions that draw what an exercise feeds to an answer."""
    functions = [
        node for node in module.body if m.matches(node, m.FunctionDef(name=m.Name("_inputs") | m.Name("inputs")))
    ]
    return frozenset(
        line for node in functions for line in range(positions[node].start.line, positions[node].end.line + 1)
    )


def _changed(operator: Any, node: cst.CSTNode) -> list[cst.CSTNode]:
    """What an operator makes of a node.

    Of the arguments of a call only those with a name are left out or made None: without one of the others the
    line ends in a TypeError wherever it runs, which flatters the tests.
    """
    found = list(operator(node))
    if operator is not mutators.operator_arg_removal:
        return found
    plain = [argument for argument in node.args if argument.keyword is None]
    return [new for new in found if [a for a in new.args if a.keyword is None] == plain]


def _places(
    node: cst.CSTNode, positions: Mapping[cst.CSTNode, Any], statement: int, in_function: bool
) -> Iterator[tuple[cst.CSTNode, list[int], bool]]:
    """Nodes that may be changed; of each its own lines and then the first of its statement, and whether it is
    run when a function is called."""
    if m.matches(node, _LEFT_ALONE) or (not in_function and m.matches(node, _ALIAS)):
        return
    place = positions.get(node)
    if place is not None:
        if isinstance(node, (cst.BaseCompoundStatement, cst.SimpleStatementLine)):
            statement = place.start.line
        if not m.matches(node, _BAR):
            yield node, [*range(place.start.line, place.end.line + 1), statement], in_function
    for child in node.children:
        if not _hidden(node, child):
            called = isinstance(node, (cst.FunctionDef, cst.Lambda)) and child is node.body
            yield from _places(child, positions, statement, in_function or called)


def _hidden(node: cst.CSTNode, child: cst.CSTNode) -> bool:
    """The bases of a class, and how a bar looks."""
    if isinstance(node, cst.ClassDef):
        return child in node.bases
    return m.matches(node, _BAR) and child in node.args[1:]


def drawn(package: Path, number: int, seed: int) -> list[Change]:
    """Changes of different places, each place as likely as any other, at most two on a line."""
    pick = random.Random(seed)
    found, on_line = [], Counter()
    places = sites(package)
    pick.shuffle(places)
    for site in places:
        if len(found) == number:
            break
        if on_line[site.file, site.line] < MOST_A_LINE and (change := site.change(pick)):
            on_line[site.file, site.line] += 1
            found.append(change)
    return found
