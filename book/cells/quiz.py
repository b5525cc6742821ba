"""The quiz of a page, from `chapters/PART/quiz.toml` or `pages/PAGE.quiz.toml` there, as Markdown.

A choice is a folded line: who opens it reads why it is right or wrong. That works with
a keyboard and without a script, in the page as in Colab.
"""

import re

import tomllib
from markdown_it import MarkdownIt

from book.cells.places import ROOT, quiz_path

LETTERS = "ABCDE"
INLINE = MarkdownIt("commonmark", {"html": False})


def read(page, root=ROOT):
    """The questions of a page; LookupError where it has none, ValueError on one without a right answer."""
    path = quiz_path(page, root)
    if not path.exists():
        raise LookupError(f"page {page!r} has no quiz: {path.relative_to(root)} is missing")
    questions = tomllib.loads(path.read_text("utf-8"))["question"]
    for number, question in enumerate(questions, start=1):
        where = f"{path.relative_to(root)}, question {number}"
        right = sum(choice.get("right", False) for choice in question["choice"])
        if right != 1 or not 3 <= len(question["choice"]) <= len(LETTERS):
            raise ValueError(
                f"{where} has {len(question['choice'])} choices and {right} right ones; "
                f"it needs 3 to {len(LETTERS)}, one of them right"
            )
        if "\n\n" in question["ask"].strip() or "```" in question["ask"] or not all(map(complete, question["choice"])):
            raise ValueError(
                f"{where}: the question is one paragraph without a block of code, and each choice has a why"
            )
        if any("$" in choice["text"] or "\n" in choice["text"] for choice in question["choice"]):
            raise ValueError(f"{where}: a choice is one line without $, for mathematics is not typeset there")
    return questions


def complete(choice):
    """Whether a choice has a text and a reason."""
    return bool(choice.get("text", "").strip() and choice.get("why", "").strip())


def choice_text(letter, choice, section):
    """One folded choice: its text as HTML, since Markdown is not read inside a summary."""
    verdict = "Right." if choice.get("right") else "No."
    shown = INLINE.renderInline(choice["text"].strip())
    where = f" (Section *{section}*.)" if choice.get("right") else ""
    kind = "lmtune-choice lmtune-right" if choice.get("right") else "lmtune-choice"
    return (
        f'<details class="{kind}">\n<summary>{letter}. {shown}</summary>\n\n'
        f"**{verdict}** {choice['why'].strip()}{where}\n\n</details>"
    )


def markdown(page, root=ROOT):
    """All questions of a page, numbered, each with its folded choices."""
    parts = []
    for number, question in enumerate(read(page, root), start=1):
        asked = re.sub(r"\s*\n\s*", " ", question["ask"].strip())
        parts.append(f"**{number}.** {asked}")
        parts += [
            choice_text(letter, choice, question["section"]) for letter, choice in zip(LETTERS, question["choice"])
        ]
    return "\n\n".join(parts)
