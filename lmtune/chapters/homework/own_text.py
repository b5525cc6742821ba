"""A text that a student brings, cut into documents, for the capstone; and one that is made up where there is none."""

from __future__ import annotations

import random
import re
from collections.abc import Sequence

#: Characters that the experiment needs, that it takes of a longer text, and of one document.
LEAST, MOST, DOCUMENT = 50_000, 60_000, 1_000
#: Documents that it needs, or three parts of them say nothing.
FEWEST = 40


def documents(texts: Sequence[str], student: str) -> list[str]:
    """Documents of at most 1,000 characters from texts, a draw for each student where there are many.

    A longer text is cut where a paragraph ends, or a line.  Raises ``ValueError`` with what is missing.
    """
    if not all(isinstance(text, str) for text in texts):
        raise ValueError("These are prompts with completions; bring plain text instead, as .txt or .md.")
    found = [piece for text in texts for piece in _pieces(text)]
    size = sum(map(len, found))
    if size < LEAST:
        raise ValueError(
            f"The text has {size:,} characters and {LEAST:,} are needed; add files, or leave the path empty."
        )
    if len(found) < FEWEST:
        raise ValueError(
            f"The text makes {len(found)} documents and {FEWEST} are needed; put empty lines between its paragraphs."
        )
    random.Random(f"documents of {student}").shuffle(found)
    taken, size = [], 0
    for one in found:
        if size + len(one) <= MOST:
            taken.append(one)
            size += len(one)
    return taken


def _pieces(text: str) -> list[str]:
    """A text in pieces of at most ``DOCUMENT`` characters, by paragraphs, then lines, then wherever."""
    made = [""]
    for part in re.findall(r".+?(?:\n\s*\n|\Z)", text, re.DOTALL):
        lines = [part] if len(part) <= DOCUMENT else part.splitlines(keepends=True)
        short = [line[i : i + DOCUMENT] for line in lines for i in range(0, len(line), DOCUMENT)]
        for one in short:
            if len(made[-1]) + len(one) > DOCUMENT:
                made.append("")
            made[-1] += one
    return [piece.strip() for piece in made if piece.strip()]


_SUBJECTS = "The valve,A sensor,The pump,This filter,The motor,A belt,The fan,The relay,A bearing,The tank".split(",")
_VERBS = "stops,opens,turns,leaks,starts,closes,overheats,answers,slips,fills".split(",")
_WHEN = "at night,under load,after cleaning,in the cold,without warning,every hour,when it rains".split(",")
_WHAT = "Check the seal,Call the desk,Replace the fuse,Write it down,Wait ten minutes,Tighten the screw".split(",")


def made_up(student: str, number: int = 220) -> list[str]:
    """A manual that nobody wrote: ``number`` pages for a student, some of them nearly alike."""
    rng, pages = random.Random(f"manual of {student}"), []
    for page in range(number):
        if pages and rng.random() < 0.15:
            lines = rng.choice(pages).splitlines()
            lines[rng.randrange(len(lines))] = _line(rng)
        else:
            title = f"Page {page}: {rng.choice(_SUBJECTS).split()[1]}"
            lines = [title, *(_line(rng) for _ in range(rng.randint(4, 9)))]
        pages.append("\n".join(lines))
    return pages


def _line(rng: random.Random) -> str:
    usual = rng.randrange(len(_SUBJECTS))
    verb = _VERBS[usual if rng.random() < 0.6 else rng.randrange(len(_VERBS))]
    return f"{_SUBJECTS[usual]} {verb} {rng.choice(_WHEN)}. {rng.choice(_WHAT)}."
