"""Which parts of a text are prose, and which words in it may be changed.

Documentation mixes sentences with code, and one changed character breaks code.  What
looks like code is left alone; in doubt it is code, because a sentence that was not
augmented costs nothing.
"""

from __future__ import annotations

import ast
import re
import textwrap
import unicodedata
from collections.abc import Iterator
from typing import NamedTuple

#: What a line of code looks like, in Python and in other languages.
_CODE_LINE = re.compile(
    r"""
    ^\s*(>>>|\.\.\.(\s|$)|\$\s|\#|@\w|//|/\*|\*/|--\s|%\w|[{}\])]|</?\w)   # prompts, comments, brackets, tags
  | ^\s*(def|class|import|return|raise|yield|assert|del|lambda|elif|else:|try:|except|finally:)\b
  | ^\s*from\s+[\w.]+\s+import\b | ^\s*(if|for|while|with|async)\b.*:\s*$
  | \w[(\[] | [;{}]\s*$ | [=<>] | -> | :: | && | \|\| | \s--?\w | \\\w            # calls, operators, options
""",
    re.VERBOSE,
)
_INLINE = re.compile(r"(`+)(?!`).*?(?<!`)\1(?!`)|\$[^$\n]+\$|https?://\S+|\S+@\S+", re.DOTALL)
_FENCE = re.compile(r"^\s*(```|~~~)")
_STATEMENTS = (
    ast.FunctionDef,
    ast.AsyncFunctionDef,
    ast.ClassDef,
    ast.Import,
    ast.ImportFrom,
    ast.Assign,
    ast.AugAssign,
    ast.For,
    ast.While,
    ast.If,
    ast.With,
    ast.Try,
    ast.Return,
    ast.Call,
    ast.Lambda,
    ast.Subscript,
    ast.Attribute,
)
_JOINERS = "\u200c\u200d"  # non-joiner and joiner hold one written sign together


class Word(NamedTuple):
    """A word of prose: ``text[start:stop]``."""

    start: int
    stop: int


def is_code(text: str) -> bool:
    """Whether a whole text is code: every line of it looks so, or Python can read it."""
    lines = [line for line in text.splitlines() if line.strip()]
    return bool(lines) and (_is_python(text) or all(map(_CODE_LINE.search, lines)))


def words(text: str) -> Iterator[Word]:
    """The words of the prose in ``text``: letters alone, between blanks or punctuation.

    Left out: code (blocks, doctests, spans in backticks, lines that look like code), addresses,
    names with digits, underscores or points inside, and scripts written without blanks.
    """
    for start, stop in prose(text):
        taken = [found.span() for found in _INLINE.finditer(text, start, stop)]
        for found in re.compile(r"\S+").finditer(text, start, stop):
            word = _bare(text, *found.span())
            if word and not any(word.start < b and a < word.stop for a, b in taken):
                yield word


def prose(text: str) -> Iterator[tuple[int, int]]:
    """Spans of the lines that are prose, each from its first character to its last."""
    if is_code(text):
        return
    fenced = doctest = False
    indent = None  # of the line that ended in "::", while its block lasts
    at = 0
    for block in re.split(r"(\r?\n(?:[ \t]*\r?\n)+)", text):
        python = _is_python(block)
        for line in block.splitlines(keepends=True):
            start, at = at, at + len(line)
            bare, depth = line.strip(), len(line) - len(line.lstrip())
            if indent is not None and bare and depth <= indent:
                indent = None
            doctest = bool(bare) and (doctest or bare.startswith(">>>"))
            fence = _FENCE.match(line)
            fenced = fenced != bool(fence)
            free = not (fence or fenced or doctest or python or indent is not None or _CODE_LINE.search(line))
            if bare.endswith("::"):
                indent = depth
            if free and bare:
                yield start + depth, start + len(line.rstrip())


def clusters(word: str) -> list[str]:
    """The written signs of a word: each letter with its marks, which must not be parted."""
    made: list[str] = []
    for character in word:
        mark = unicodedata.category(character)[0] == "M" or character in _JOINERS
        if made and (mark or made[-1][-1] in _JOINERS):
            made[-1] += character
        else:
            made.append(character)
    return made


def _is_python(text: str) -> bool:
    """Whether Python reads it as more than names: sentences such as "not bad" parse too."""
    try:
        tree = ast.parse(textwrap.dedent(text.replace("\r\n", "\n")).strip())
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return False
    return any(isinstance(node, _STATEMENTS) for node in ast.walk(tree))


def _bare(text: str, start: int, stop: int) -> Word | None:
    """The word between the punctuation around it, or None if it is not of letters alone."""
    while start < stop and _around(text[start]):
        start += 1
    while start < stop and _around(text[stop - 1]):
        stop -= 1
    inside = text[start:stop]
    if not inside or not all(map(_in_words, inside)):
        return None
    return Word(start, stop) if unicodedata.category(inside[0])[0] == "L" else None


def _around(character: str) -> bool:
    """Punctuation of a sentence: brackets, quotation marks and stops."""
    return unicodedata.category(character) in ("Ps", "Pe", "Pi", "Pf") or character in ".,;:!?\"'\u060c\u061b\u061f"


def _in_words(character: str) -> bool:
    """A letter or a mark, of a script that puts blanks between words."""
    return (unicodedata.category(character)[0] in "LM" or character in _JOINERS) and (
        unicodedata.east_asian_width(character) not in "WF"
    )
