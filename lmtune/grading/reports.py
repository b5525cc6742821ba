"""What grading writes: a CSV, a page for the class, and for each student a page and a plain text.

Everything that a student wrote is escaped; the pages hold no script.
"""

from __future__ import annotations

import html
import textwrap
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from lmtune.exercises import exercise as ex
from lmtune.files import write_whole
from lmtune.grading.csv_files import written as as_csv
from lmtune.grading.open_points import empty_table, open_points
from lmtune.grading.printable import lines, printable
from lmtune.grading.records import FAILED
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
    protection: str = "",
) -> list[dict]:
    """Write all of the report into ``out``; the marks of each student, in the roster's order.

    ``protection`` is what the head of the class page says of how submissions ran.
    """
    students = out / "students"
    students.mkdir(parents=True, exist_ok=True)
    given = open_points(out / "open.csv", [s.student.id for s in handed_in], homework.open_points)
    marks = [mark(s, r, homework, rules, given.get(s.student.id)) for s, r in zip(handed_in, records)]
    for submission, record, row in zip(handed_in, records, marks):
        if submission.student.problem:
            continue  # there may be two of this id, and each would read the other's page
        name = file_name(submission.student.id)
        sections = feedback_sections(submission, record, row, homework, rules)
        write_whole(students / f"{name}.txt", as_text(sections))
        write_whole(students / f"{name}.html", as_page(sections))
    write_whole(out / "results.csv", as_csv(marks))
    heads = [protection, _lateness(handed_in, rules)]
    sections = class_sections(homework, marks, records, strangers, [text for text in heads if text])
    write_whole(out / "class.html", as_page(sections))
    write_whole(out / "class.txt", as_text(sections))
    if not (out / "open.csv").exists():
        ids = [s.student.id for s in handed_in if not s.student.problem]
        write_whole(out / "open.csv", empty_table(ids))
    return marks


def _lateness(handed_in: Sequence[Submission], rules: Any) -> str:
    """A warning where lateness was judged by what students can change."""
    times = sum(s.student.submitted is None and s.notebook is not None for s in handed_in)
    if rules.deadline is None or not times:
        return ""
    return (
        f"The lateness of {times} of {len(handed_in)} was judged by the times of their files, which students can set; "
        "write what your platform says into the column submitted of the roster."
    )


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
    if record["problem"].startswith(FAILED):
        row |= dict.fromkeys((*points, "total"), "")  # no zero, which somebody could take for a result
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
            f"{_total(row)} points"
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
            sections.append(("message", result["told"].removeprefix("not yet\n")))
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


def _total(row: dict) -> str:
    """The points of one student in words; no number where grading failed."""
    return f"{'no' if row['total'] == '' else format(row['total'], 'g')} of {row['out of']:g}"


def class_sections(
    homework: Any, marks: Sequence[dict], records: Sequence[dict], strangers: Sequence[str], heads: Sequence[str] = ()
) -> list:
    """What the instructor reads of the whole class; ``heads`` come first."""
    graded = [r for r in records if r["parts"]]
    sections: list[tuple[str, Any]] = [
        ("title", f"{homework.title}: the class"),
        *(("text", head) for head in heads),
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
                [[m["id"], m["name"], _total(m), m["late, percent off"], m["problem"] or m["remarks"]] for m in marks],
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
        if kind in ("title", "heading"):
            line = printable(content)
            made.append(f"{line}\n{('=' if kind == 'title' else '-') * min(76, len(line))}")
        elif kind == "list":
            made.append("\n".join(textwrap.fill(f"- {printable(one)}", 76, subsequent_indent="  ") for one in content))
        elif kind == "table":
            caption, columns, rows = content
            told = ["; ".join(f"{c}: {_entry(v)}" for c, v in zip(columns, row)) for row in rows] or ["none"]
            made.append("\n".join([caption, "-" * len(caption), *told]))
        else:
            made.append(content if kind == "message" else textwrap.fill(content, 76))
    return lines("\n\n".join(made)) + "\n"


def _entry(value: Any) -> str:
    """One entry of a line of a table, which can be taken for no other line or entry."""
    return printable(str(value)).replace(";", ",")


def as_page(sections: Sequence[tuple[str, Any]]) -> str:
    """One HTML page, without script; a screen reader finds headings, lists and captions."""
    safe, made = lambda value: html.escape(lines(str(value))), []
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
