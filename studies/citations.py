"""What a page cites of studies, and what speaks against it."""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from typing import NamedTuple

from lmtune.chapters import Study, studied
from studies.soundness import false_sentences, objections


class Cited(NamedTuple):
    """A study that a page reads, and the sentence that it takes from it; empty where it only shows figures."""

    study: str
    sentence: str


def objections_to(code: str, read: Callable[[str], Study] = studied) -> list[str]:
    """What speaks against the studies and sentences that a page's ``code`` cites, each in one sentence."""
    said = [wrong for wrong, _ in _calls(code) if wrong]
    cited = [one for wrong, one in _calls(code) if not wrong]
    for name in sorted({one.study for one in cited}):
        try:
            study = read(name)
        except ValueError as refused:
            said.append(f"{name}: {refused}")
            continue
        sentences = [one.sentence for one in cited if one.study == name and one.sentence]
        said += [f"{name}: {wrong}" for wrong in [*objections(study), *false_sentences(study, sentences)]]
    return said


def _calls(code: str) -> Iterator[tuple[str, Cited]]:
    """Each call of ``studied``, ``recorded`` and ``finding``: what is wrong with it, or what it cites."""
    tree = ast.parse(code)
    names = {
        target.id: _text(node.value.args)
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and _called(node.value) in ("studied", "recorded")
        for target in node.targets
        if isinstance(target, ast.Name)
    }
    for node in ast.walk(tree):
        called = _called(node)
        if called in ("studied", "recorded"):
            name = _text(node.args)
            yield ("" if name else f"line {node.lineno}: give {called} its name as text"), Cited(name, "")
        elif called == "finding":
            given = node.args[0] if node.args else None
            name = names.get(given.id, "") if isinstance(given, ast.Name) else _text(getattr(given, "args", []))
            sentence = _text(node.args[1:])
            wrong = (
                "" if name and sentence else f"line {node.lineno}: give finding a study by name and a sentence as text"
            )
            yield wrong, Cited(name, sentence)


def _called(node: ast.AST) -> str:
    """The name of the function that a call calls, without what stands before its last dot."""
    if not isinstance(node, ast.Call):
        return ""
    return getattr(node.func, "id", getattr(node.func, "attr", ""))


def _text(arguments: list) -> str:
    """The first argument where it is text, else nothing."""
    first = arguments[0] if arguments else None
    return first.value if isinstance(first, ast.Constant) and isinstance(first.value, str) else ""
