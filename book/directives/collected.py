"""What the stored notebooks say: their sections, the claims that held there, and their figures.

The pages that collect these are made from the outputs, so none of them can say
anything that no cell measured.
"""

import re
from dataclasses import dataclass, field
from functools import cache

import nbformat
from docutils import nodes

from book.cells.derive import notebook_path
from lmtune.notebook.claims import CHECKED
from lmtune.notebook.dot_plot import MARK

HEADING = re.compile(r"^(#{1,4}) (.+?)\s*$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
HOLDS = "claim holds: "
MISTAKES = "What tutorials get wrong, measured"


@dataclass
class Section:
    """A heading with what stands below it, up to the next heading of any level."""

    title: str
    level: int
    first: str  # its first paragraph, as Markdown
    printed: str = ""  # by its cells
    claims: list = field(default_factory=list)
    figures: list = field(default_factory=list)  # HTML

    @property
    def anchor(self):
        """The id of its heading in the built page."""
        return nodes.make_id(self.plain)

    @property
    def plain(self):
        """Its title without the marks of Markdown."""
        return self.title.replace("`", "")


def said(output):
    """What an output prints: its text, or the plain text of a claim or comparison that drew itself."""
    data = output.get("data", {})
    drawn = any(mark in data.get("text/html", "") for mark in (CHECKED, MARK))
    return data["text/plain"] + "\n" if drawn else output.get("text", "")


@cache
def sections(chapter):
    """The sections of a chapter's notebook, in order."""
    found = []
    for cell in nbformat.read(notebook_path(chapter), as_version=4).cells:
        if cell.cell_type == "markdown":
            text = FENCED.sub("", cell.source)
            for heading in HEADING.finditer(text):
                below = HEADING.split(text[heading.end() :], maxsplit=1)[0].strip()
                found.append(Section(heading[2], len(heading[1]), below.split("\n\n")[0]))
        elif found:
            for output in cell.get("outputs", []):
                printed = said(output)
                found[-1].printed += printed
                found[-1].claims += [line[len(HOLDS) :] for line in printed.splitlines() if line.startswith(HOLDS)]
                shown = output.get("data", {}).get("text/html", "")
                if 'class="lmtune-figure"' in shown:
                    found[-1].figures.append(shown)
    return found


def title(chapter):
    """The chapter's own title."""
    return sections(chapter)[0].title


def mistakes(chapter):
    """The sections on mistakes that were found in teaching material, each measured."""
    inside, found = False, []
    for section in sections(chapter):
        if section.level <= 2:
            inside = section.title == MISTAKES
        elif inside:
            found.append(section)
    return found


def claim(chapter, start):
    """The one claim of a chapter that begins with `start`, with its figure; LookupError otherwise."""
    return only(
        [c for section in sections(chapter) for c in section.claims if c.startswith(start)],
        f"claim of chapter {chapter!r} begins with {start!r}",
    )


def figure(chapter, start):
    """The one figure of a chapter whose caption begins with `start`, as HTML; LookupError otherwise."""
    return only(
        [f for section in sections(chapter) for f in section.figures if f"<figcaption>{start}" in f],
        f"figure of chapter {chapter!r} has a caption that begins with {start!r}",
    )


def only(found, what):
    """The single element of a list."""
    if len(found) != 1:
        raise LookupError(f"{len(found) or 'no'} {what}; exactly one must")
    return found[0]
