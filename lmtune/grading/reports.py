"""What grading writes: a CSV, a page for the class, and for each student a page and a plain text.

Everything that a student wrote is escaped; the pages hold no script.
"""

from __future__ import annotations

import csv
import html
import io
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmtune.exercises import exercise as ex
from lmtune.grading.submissions import Submission, file_name

PAGE = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
body {{ font: 1rem/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #111;
  background: #fff; }}
pre {{ white-space: pre-wrap; overflow-wrap: anywhere; background: #f3f3f3; padding: 0.75rem; }}
table {{ border-collapse: collapse; }}
caption {{ text-align: left; font-weight: bold; padding: 0.5rem 0; }}
th, td {{ border: 1px solid #767676; padding: 0.25rem 0.6rem; text-align: left; vertical-align: top; }}
</style>
</head>
<body>
<main>
{body}
</main>
</body>
</html>
"""


def write(
    out: Path,
    homework: Any,
    rules: Any,
    handed_in: Sequence[Submission],
    records: Sequence[dict],
    strangers: Sequence[str],
) -> list[dict]:
    """Write all of the report into ``out``; the marks of each student, in the roster's order."""
    students = out / "students"
    students.mkdir(parents=True, exist_ok=True)
    given = _open_points(out / "open.csv", homework)
    marks = [mark(s, r, homework, rules, given.get(s.student.id)) for s, r in zip(handed_in, records)]
    for submission, record, row in zip(handed_in, records, marks):
        if submission.student.problem:
            continue  # there may be two of this id, and each would read the other's page
        name = file_name(submission.student.id)
        sections = feedback_sections(submission, record, row, homework, rules)
        (students / f"{name}.txt").write_text(as_text(sections), encoding="utf-8")
        (students / f"{name}.html").write_text(as_page(sections), encoding="utf-8")
    (out / "results.csv").write_text(as_csv(marks), encoding="utf-8")
    sections = class_sections(homework, marks, records, strangers)
    (out / "class.html").write_text(as_page(sections), encoding="utf-8")
    (out / "class.txt").write_text(as_text(sections), encoding="utf-8")
    if not (out / "open.csv").exists():
        rows = [{"id": s.student.id, "points": "", "comment": ""} for s in handed_in if not s.student.problem]
        (out / "open.csv").write_text(as_csv(rows), encoding="utf-8")
    return marks


def _open_points(path: Path, homework: Any) -> dict[str, dict]:
    """What the instructor wrote into open.csv; ``ValueError`` when a number is none or too large."""
    if not path.exists():
        return {}
    with open(path, encoding="utf-8-sig", newline="") as file:
        rows = {(row.get("id") or "").removeprefix("'"): row for row in csv.DictReader(file)}
    for name, row in rows.items():
        text = (row.get("points") or "").strip()
        try:
            row["points"] = float(text) if text else None
        except ValueError:
            raise ValueError(f"{path}: the points of {name} are {text!r}; write a number or nothing.") from None
        if row["points"] is not None and not 0 <= row["points"] <= homework.open_points:
            raise ValueError(f"{path}: {name} has {text} points; the rubric gives 0 to {homework.open_points:g}.")
    return rows


def mark(submission: Submission, record: dict, homework: Any, rules: Any, given: dict | None) -> dict:
    """One line of the results: points of each part, of the open question, lateness, total."""
    row: dict[str, Any] = {"id": submission.student.id, "name": submission.student.name}
    late = rules.late(submission.submitted)
    points = {
        p.id: rules.worth(p) if record["parts"].get(p.id, {}).get("status") == ex.PASSED else 0.0
        for p in homework.parts
    }
    opened = (given or {}).get("points")
    row |= points
    row["open question"] = "" if opened is None else opened
    row["late, percent off"] = round(100 * late, 1)
    row["total"] = round((sum(points.values()) + (opened or 0.0)) * (1 - late), 2)
    row["out of"] = sum(map(rules.worth, homework.parts)) + homework.open_points
    row["problem"] = record["problem"]
    row["remarks"] = "; ".join(record["remarks"])
    row["comment"] = (given or {}).get("comment") or ""
    return row


def feedback_sections(
    submission: Submission, record: dict, row: dict, homework: Any, rules: Any
) -> list[tuple[str, Any]]:
    """What one student reads, as pairs of a kind and its content, for both forms."""
    student = submission.student
    sections: list[tuple[str, Any]] = [
        ("title", f"{homework.title}: {student.name or student.id}"),
        (
            "text",
            f"{row['total']:g} of {row['out of']:g} points"
            + (f", {row['late, percent off']:g} percent off for lateness" if row["late, percent off"] else "")
            + ("." if row["open question"] != "" else "; the open question is not graded yet."),
        ),
    ]
    if record["problem"]:
        return [*sections, ("text", f"This could not be graded: {record['problem']}.")]
    for part in homework.parts:
        result = record["parts"][part.id]
        points = f"{row[part.id]:g} of {rules.worth(part):g} points"
        sections += [("heading", f"{part.function}: {result['status']}, {points}"), ("text", part.aim)]
        if result["status"] == ex.NOT_YET:
            sections.append(("message", result["message"].removeprefix("not yet\n")))
    sections += [
        ("heading", f"Open question, {homework.open_points:g} points"),
        ("text", homework.question),
        ("list", [f"{points:g} points: {what}" for points, what in homework.rubric]),
        ("text", "Your answer:" if record["open"] else "There is no answer in the notebook."),
    ]
    if record["open"]:
        sections.append(("message", record["open"]))
    if row["open question"] != "":
        sections.append(("text", f"{row['open question']:g} points. {row['comment']}"))
    if record["remarks"]:
        sections += [("heading", "Remarks"), ("list", record["remarks"])]
    return sections


def class_sections(homework: Any, marks: Sequence[dict], records: Sequence[dict], strangers: Sequence[str]) -> list:
    """What the instructor reads of the whole class."""
    graded = [r for r in records if r["parts"]]
    sections: list[tuple[str, Any]] = [
        ("title", f"{homework.title}: the class"),
        ("text", f"{len(records)} students, {len(graded)} submissions graded."),
        (
            "table",
            (
                "Parts",
                ["part", "passed", "not yet", "not attempted"],
                [
                    [
                        p.function,
                        *(
                            sum(r["parts"][p.id]["status"] == s for r in graded)
                            for s in (ex.PASSED, ex.NOT_YET, ex.NOT_ATTEMPTED)
                        ),
                    ]
                    for p in homework.parts
                ],
            ),
        ),
        (
            "table",
            (
                "Students",
                ["id", "name", "total", "late, percent off", "problem or remarks"],
                [
                    [
                        m["id"],
                        m["name"],
                        f"{m['total']:g} of {m['out of']:g}",
                        m["late, percent off"],
                        m["problem"] or m["remarks"],
                    ]
                    for m in marks
                ],
            ),
        ),
    ]
    frequent = Counter(
        (p.function, _hint(r["parts"][p.id]["message"]))
        for p in homework.parts
        for r in graded
        if r["parts"][p.id]["status"] == ex.NOT_YET
    )
    sections.append(
        (
            "table",
            (
                "Most frequent reasons for not yet",
                ["part", "times", "reason"],
                [[function, count, reason] for (function, reason), count in frequent.most_common(10)],
            ),
        )
    )
    if strangers:
        sections += [("heading", "In the folder and not on the roster"), ("list", list(strangers))]
    return sections


def _hint(message: str) -> str:
    """The hint of a message, in one line."""
    return " ".join(message.rpartition("hint: ")[2].split())[:200]


def as_text(sections: Sequence[tuple[str, Any]]) -> str:
    """Plain text of 76 characters a line; of a table one line for each row."""
    made = []
    for kind, content in sections:
        if kind == "title":
            made.append(f"{content}\n{'=' * min(76, len(content))}")
        elif kind == "heading":
            made.append(f"{content}\n{'-' * min(76, len(content))}")
        elif kind == "list":
            made.append("\n".join(textwrap.fill(f"- {one}", 76, subsequent_indent="  ") for one in content))
        elif kind == "table":
            caption, columns, rows = content
            lines = ["; ".join(f"{c}: {v}" for c, v in zip(columns, row)) for row in rows] or ["none"]
            made.append("\n".join([caption, "-" * len(caption), *lines]))
        else:
            made.append(_printable(content) if kind == "message" else textwrap.fill(content, 76))
    return _printable("\n\n".join(made)) + "\n"


def _printable(text: str) -> str:
    """Text without control characters, which could rewrite what a terminal shows."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)


def as_page(sections: Sequence[tuple[str, Any]]) -> str:
    """One HTML page, without script; a screen reader finds headings, lists and captions."""
    safe, made = lambda value: html.escape(_printable(str(value))), []
    for kind, content in sections:
        if kind == "table":
            caption, columns, rows = content
            head = "".join(f'<th scope="col">{safe(c)}</th>' for c in columns)
            body = "\n".join("<tr>" + "".join(f"<td>{safe(v)}</td>" for v in row) + "</tr>" for row in rows)
            made.append(f"<table>\n<caption>{safe(caption)}</caption>\n<tr>{head}</tr>\n{body}\n</table>")
        elif kind == "list":
            made.append("<ul>\n" + "\n".join(f"<li>{safe(one)}</li>" for one in content) + "\n</ul>")
        else:
            tag = {"title": "h1", "heading": "h2", "text": "p", "message": "pre"}[kind]
            made.append(f"<{tag}>{safe(content)}</{tag}>")
    return PAGE.format(title=safe(sections[0][1]), body="\n".join(made))


def as_csv(rows: Sequence[dict]) -> str:
    """A CSV that a spreadsheet opens without running what a student wrote as a formula."""
    written = io.StringIO()
    if rows:
        table = csv.DictWriter(written, list(rows[0]))
        table.writeheader()
        table.writerows({k: _cell(v) for k, v in row.items()} for row in rows)
    return written.getvalue()


def _cell(value: Any) -> Any:
    if isinstance(value, str):
        value = _printable(value)
        return f"'{value}" if value[:1] in ("=", "+", "-", "@") else value
    return value
