"""Tables as CSV: read as an instructor wrote them, and written so that no spreadsheet runs what is in them."""

from __future__ import annotations

import csv
import io
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmtune.grading.printable import lines, printable

#: Characters of one cell; spreadsheets take 32,767 at most.
LONGEST = 2000
#: What makes a formula of a cell: at its beginning, or behind what some countries' spreadsheets separate cells by.
_FORMULA = re.compile(r"""(^|[;,|])(["'\s]*)([=+\-@＝＋－＠])""")


def written(rows: Sequence[dict]) -> str:
    """Rows as CSV text, the first row's names as its head."""
    text = io.StringIO()
    if rows:
        table = csv.DictWriter(text, list(rows[0]))
        table.writeheader()
        table.writerows({name: cell(value) for name, value in row.items()} for row in rows)
    return text.getvalue()


def cell(value: Any) -> Any:
    """A value for a CSV that no spreadsheet takes for a formula; text in one line, cut where it is too long."""
    if not isinstance(value, str):
        return value
    text = lines(value).replace("\n", " ")
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]} ... ({len(text) - LONGEST} more characters)"
    return _FORMULA.sub(r"\1\2'\3", text)


def read(path: Path, what: str, required: Sequence[str], known: Sequence[str] = ()) -> list[tuple[int, dict[str, str]]]:
    """The lines of a CSV, each with its number; the names of its columns in small letters.

    Cells are separated by commas, semicolons or tabs, whichever its first line has most of.  Raises
    ``ValueError`` when it is no such table or lacks a column of ``required``.  Where ``known`` columns are
    given, others are refused too, and so is a line with more or fewer cells than the first.
    """
    found = _cells(path, what)
    columns = [name.lower() for name in found[0][1]] if found else []
    for name in required:
        if name not in columns:
            given = ", ".join(map(printable, columns)) or "none"
            raise ValueError(f"The {what} {path} has the columns {given}; it needs a column {name}.")
    for name in filter(None, columns):
        if columns.count(name) > 1:
            raise ValueError(f"The {what} {path} has two columns {printable(name)}; keep one.")
        if known and name not in known:
            raise ValueError(f"The {what} {path} has a column {printable(name)!r}; there are: {', '.join(known)}.")
    rows = []
    for number, cells in found[1:]:
        more = any(cells[len(columns) :]) or (known and len(cells) < len(columns))
        if any(cells) and more:
            raise ValueError(
                f"The {what} {path}, line {number}: it has {len(cells)} cells, and the first line has {len(columns)}; "
                "put what holds a separator in quotes."
            )
        if any(cells):
            rows.append((number, dict(zip(columns, [*cells, *[""] * len(columns)]))))
    return rows


def _cells(path: Path, what: str) -> list[tuple[int, list[str]]]:
    """Each line's number and cells."""
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            text = file.read()
    except UnicodeDecodeError as error:
        raise ValueError(f"The {what} {path} is not UTF-8; save it again as CSV UTF-8.") from error
    except OSError as error:
        raise ValueError(f"The {what} {path} cannot be read ({error.strerror}); give a CSV with a head.") from error
    first = text.partition("\n")[0]
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count), strict=True)
    try:
        return [(reader.line_num, [one.strip() for one in cells]) for cells in reader]
    except csv.Error as error:
        raise ValueError(f"The {what} {path}, line {reader.line_num}: this is no CSV ({error}).") from error
