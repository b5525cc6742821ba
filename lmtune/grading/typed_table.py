"""A CSV as an instructor typed it or a spreadsheet saved it: its columns and rows, whatever separates the cells."""

from __future__ import annotations

import csv
import io
from pathlib import Path


def typed_table(path: Path) -> tuple[list[str], list[dict[str, str]]]:
    """The columns, in small letters, and for each line its cells by column, without blanks around them.

    Cells are separated by commas, semicolons or tabs, whichever the first line has most of.  Raises ``ValueError``
    where the file is not UTF-8.
    """
    try:
        text = path.read_bytes().decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ValueError(f"{path} is not UTF-8; save it again as CSV UTF-8.") from error
    first = text.partition("\n")[0]
    lines = list(csv.reader(io.StringIO(text, newline=""), delimiter=max(",;\t", key=first.count)))
    columns = [name.strip().lower() for name in lines[0]] if lines else []
    rows = [[cell.strip() for cell in line] for line in lines[1:] if any(line)]
    return columns, [dict(zip(columns, [*row, *[""] * len(columns)])) for row in rows]
