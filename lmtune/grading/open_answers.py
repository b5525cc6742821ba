"""All open answers of a class on one page, with a field for the points of each, which go back into ``open.csv``.

The page needs no network and no server: its one script writes the points typed there into a CSV, which the browser
saves.  Everything that a student wrote is escaped, and the page's policy lets no other script run.
"""

from __future__ import annotations

import base64
import hashlib
import html
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from lmtune.files import write_whole
from lmtune.grading import csv_files
from lmtune.grading.open_page import PAGE, SCRIPT, STYLE
from lmtune.grading.open_points import COLUMNS

#: Characters of one answer that are shown; the notebook has the rest.
LONGEST = 20_000


def write(out: Path, homework: Any, records: Sequence[Mapping], marks: Sequence[Mapping]) -> Path:
    """Write ``open.html`` beside the ``open.csv`` of a report, with the points that stand there; the page's path.

    ``records`` and ``marks`` are those of the class, in one order.  Raises ``ValueError`` where ``open.csv`` is no
    table with the columns id and points.
    """
    rows = [row for _, row in csv_files.read(out / "open.csv", "points", required=("id", "points"))]
    columns = list(rows[0]) if rows else list(COLUMNS)
    ids = [mark["id"] for mark in marks]
    students = {  # by the id as open.csv has it, which no spreadsheet runs
        cell: (mark["id"], mark["name"], record["open"])
        for cell, mark, record in zip(map(csv_files.cell, ids), marks, records)
        if mark["id"] and ids.count(mark["id"]) == 1
    }
    listed = {row["id"] for row in rows}
    rows += [_new_row(cell, columns, rows) for cell, (name, *_) in students.items() if not {cell, name} & listed]
    students |= {name: (name, *more) for name, *more in students.values()}
    path = out / "open.html"
    write_whole(path, page(homework, columns, rows, students))
    return path


def page(
    homework: Any,
    columns: Sequence[str],
    rows: Sequence[Mapping[str, str]],
    students: Mapping[str, tuple[str, str, str | None]],
) -> str:
    """The page as HTML, with the rows of open.csv; ``students`` are their id, name and answer by the id in a row."""
    blocks, silent = [], []
    for number, row in enumerate(rows):
        name, called, answer = students.get(row["id"], (row["id"], "", None))
        whose, data = ", ".join(filter(None, [name, called])), _safe(json.dumps([row[c] for c in columns]))
        if answer:
            fields = _fields(row, homework.open_points)
            blocks.append(
                f'<article data-row="{data}" aria-labelledby="student-{number}">\n'
                f'<h3 id="student-{number}">{_safe(whose)}</h3>\n<pre>{_shown(answer)}</pre>\n{fields}\n</article>'
            )
        else:  # nothing to mark; the line stays in the file
            silent.append(whose)
            blocks.append(f'<div hidden data-row="{data}"></div>')
    style, script = f"\n{STYLE}", f"\n{SCRIPT}"
    return PAGE.format(
        policy=f"default-src 'none'; style-src '{_hash(style)}'; script-src '{_hash(script)}'; "
        "base-uri 'none'; form-action 'none'",
        style=style,
        script=script,
        title=_safe(homework.title),
        question=_safe(homework.question),
        rubric="\n".join(f"<li>{points:g} points: {_safe(what)}</li>" for points, what in homework.rubric),
        columns=_safe(json.dumps(list(columns))),
        answers="\n".join(blocks),
        silent=f"<p>Without an answer: {_safe('; '.join(silent))}.</p>" if silent else "",
    )


def _fields(row: Mapping[str, str], most: float) -> str:
    """The fields of one answer; a browser shows no number with a comma, and would save an empty one."""
    made = (
        f'<label>Points, 0 to {most:g} <input type="number" min="0" max="{most:g}" step="any" '
        f'data-column="points" value="{_safe(row["points"].replace(",", "."))}"></label>'
    )
    if "comment" in row:
        made += f'\n<label>Comment <textarea data-column="comment">\n{_safe(row["comment"])}</textarea></label>'
    return made


def _shown(answer: str) -> str:
    if len(answer) <= LONGEST:
        return _safe(answer)
    return _safe(
        f"{answer[:LONGEST]}\n\n(The answer goes on for {len(answer) - LONGEST:,} characters; see the notebook.)"
    )


def _safe(text: str) -> str:
    """Text for HTML, also within quotes, without characters that turn the order of others or cannot be seen."""
    return html.escape("".join(c if c.isprintable() or c == "\n" else " " for c in text))


def _new_row(cell: str, columns: Sequence[str], rows: Sequence[Mapping[str, str]]) -> dict[str, str]:
    """A line for a student who came to the class after open.csv was written."""
    others = rows[0] if rows else {}
    return {c: others.get(c, "") if c == "part" else "" for c in columns} | {"id": cell}


def _hash(text: str) -> str:
    """What the page's policy knows its one style and its one script by."""
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"
