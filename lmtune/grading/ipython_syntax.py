"""A cell's code as plain Python: what only IPython understands is replaced, line for line.

Standard library alone, because it also runs in the sandbox.
"""

from __future__ import annotations

import re

#: Cell magics whose cell is Python that runs in the notebook; all others keep their cell to themselves.
RUN_HERE = ("time", "capture", "prun", "memit", "snakeviz", "scalene", "heat", "wandb", "skip_if_done")
WRITES = re.compile(r"%%(?:writefile|file)(\s+-a)?\s+['\"]?([^'\"\n]+?)['\"]?\s*$")
#: ``files = !ls`` and ``text = %magic``, which no Python line can be.
ASSIGNED = re.compile(r"(\s*[^\s=!<>%#'\"()][^=!<>%#'\"()]*?=)\s*([!%])(.*)$")
#: ``%time statement`` runs the statement in the notebook.
TIMED = re.compile(r"%time\s+(?!-)(\S.*)$")
ASKED = re.compile(r"\s*[\w.*%]+\?{1,2}\s*$")
#: IPython takes these for magics even without a sign before them.
INSTALLS = re.compile(r"\s*(?:pip3?|conda|mamba|uv)\s+(?:install|uninstall|add|pip|list|freeze)\b")
#: What changes whether a line is within brackets or a text of several lines.
TOKEN = re.compile(r"#.*|\"\"\"|'''|\"(?:\\.|[^\"\\])*\"?|'(?:\\.|[^'\\])*'?|[(\[{]|[)\]}]")
ENDS = {q: re.compile(rf"(?:[^\\]|\\.)*?{q}", re.DOTALL) for q in ('"""', "'''")}
#: Words that go on with the statement before them.
GOES_ON = re.compile(r"(?:else|elif|except|finally|case)\b|[)\]}]")


def as_python(source: str) -> tuple[str, str]:
    """A cell as Python with as many lines, and in words why it holds none (else ``""``)."""
    lines = source.split("\n")
    first = next((i for i, line in enumerate(lines) if line.strip()), None)
    while first is not None and lines[first].startswith("%%"):
        name = (re.match(r"%%([\w.!]*)", lines[first]) or [""])[1]
        written = WRITES.match(lines[first])
        if written:
            mode, body = "a" if written[1] else "w", "\n".join(lines[first + 1 :])
            blank = "\n" * (len(lines) - 1)
            return f"open({written[2]!r}, {mode!r}, encoding='utf-8').write({body!r}){blank}", ""
        if name not in RUN_HERE:
            return "", f"its %%{name} keeps what it does to itself"
        lines[first] = ""
        first = next((i for i, line in enumerate(lines) if line.strip()), None)
    return "\n".join(_replaced(lines)), ""


def _replaced(lines: list[str]) -> list[str]:
    """The lines with a statement in place of each that is IPython's."""
    made, going_on = [], False
    for line, begins in zip(lines, _beginnings(lines)):
        if going_on:  # a command of the shell may have several lines
            going_on = line.endswith("\\")
            made.append("")
            continue
        plain = _statement(line) if begins else None
        going_on = plain is not None and line.endswith("\\")
        made.append(line if plain is None else plain)
    return made


def _statement(line: str) -> str | None:
    """A Python statement for a line that only IPython understands; None for a line of Python."""
    text = line.lstrip()
    blank = line[: len(line) - len(text)]
    if text.startswith(("%", "!", "?")):
        timed = TIMED.match(text)
        return blank + (timed[1] if timed else "pass")
    assigned = ASSIGNED.match(line)
    if assigned:
        timed = TIMED.match(assigned[2] + assigned[3])
        return f"{assigned[1]} {timed[1] if timed else None}"
    if ASKED.match(line) or INSTALLS.match(line):
        return f"{blank}pass"
    return None


def _beginnings(lines: list[str]) -> list[bool]:
    """For each line whether a statement begins there: not within brackets, a long text, or after a backslash."""
    found, depth, quote, after = [], 0, "", False
    for line in lines:
        begins = depth == 0 and not quote and not after and bool(line.strip())
        found.append(begins)
        after = line.endswith("\\") and not quote
        if begins and _statement(line) is not None:
            continue  # what stands in it is no Python
        depth, quote = _behind(line, depth, quote)
    return found


def _behind(line: str, depth: int, quote: str) -> tuple[int, str]:
    """How many brackets are open behind a line, and the quotes of the long text that goes on."""
    at = 0
    while at < len(line):
        found = ENDS[quote].match(line, at) if quote else TOKEN.search(line, at)
        if found is None:
            break
        at, token = found.end(), found[0]
        if quote:
            quote = ""
        elif token in ENDS:
            quote = token
        elif token in "([{":
            depth += 1
        elif token in ")]}":
            depth = max(0, depth - 1)
    return depth, quote


def pieces(source: str) -> list[tuple[int, str]]:
    """The pieces of a cell that begin at its left edge, each with the number of its first line (from 0).

    Where a cell as a whole is no Python, some of its pieces may be.
    """
    lines = source.split("\n")
    starts, decorated = [], False
    for i, (line, begins) in enumerate(zip(lines, _beginnings(lines))):
        if begins and not line[0].isspace() and not line.startswith("#") and not GOES_ON.match(line):
            if not decorated:
                starts.append(i)
            decorated = line.startswith("@")
    return [(a, "\n".join(lines[a:b])) for a, b in zip(starts, [*starts[1:], len(lines)])]
