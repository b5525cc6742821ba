"""How long a page is read: counted from what a reader sees of its cells with all folds closed."""

import ast
import re

from book.cells.fold import folded

#: Words a minute of technical prose, and seconds for what is looked at instead of read.
WORDS_A_MINUTE = 230
SECONDS_A_LINE = 3  # of visible code
SECONDS_A_PICTURE = 20
#: Calls that leave a picture or a table; a claim does where it compares.
PICTURES = {"show", "explore", "compare", "finding"}
WORD = re.compile(r"[^\W_]+(?:['’.,-]\w+)*")
#: Of a fold only its summary is seen, and of a fenced block its code.
FOLD = re.compile(r"<details\b.*?<summary>(.*?)</summary>.*?</details>", re.DOTALL)
FENCED = re.compile(r"^```[^\n]*\n(.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
TAG = re.compile(r"<[^>]+>")
TARGET = re.compile(r"\]\([^)\s]*\)")


def code_lines(source):
    """The lines of a piece of code that are not blank."""
    return [line for line in source.splitlines() if line.strip()]


def code_blocks(cells):
    """The code that is in sight: of cells, and of fenced blocks in texts."""
    shown = [cell.source for cell in cells if cell.cell_type == "code" and not folded(cell)]
    texts = [FOLD.sub("", cell.source) for cell in cells if cell.cell_type == "markdown"]
    return shown + [block for text in texts for block in FENCED.findall(text)]


def words(text):
    """How many words of a Markdown text are in sight."""
    text = FENCED.sub("", FOLD.sub(r"\1", text))
    return len(WORD.findall(TAG.sub(" ", TARGET.sub("]", text))))


def pictures(cells):
    """How many pictures the code of these cells draws, by the calls that stand in it."""
    nodes = [node for cell in cells if cell.cell_type == "code" for node in parsed(cell.source)]
    calls = [node for node in nodes if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)]
    compares = [call for call in calls if call.func.id == "claim" and any(k.arg == "better" for k in call.keywords)]
    return len(compares) + sum(call.func.id in PICTURES for call in calls)


def parsed(source):
    """Every node of a cell's code; none where it holds a magic."""
    try:
        return list(ast.walk(ast.parse(source)))
    except SyntaxError:
        return []


def minutes(cells):
    """Minutes to read these cells: words, lines of code in sight, and pictures."""
    read = sum(words(cell.source) for cell in cells if cell.cell_type == "markdown") / WORDS_A_MINUTE
    lines = sum(len(code_lines(block)) for block in code_blocks(cells))
    return read + (SECONDS_A_LINE * lines + SECONDS_A_PICTURE * pictures(cells)) / 60
