"""What the stored notebooks say: their sections, the claims that held there, and their figures.

The pages that collect these are made from the outputs, so none of them can say
anything that no cell measured.
"""

import re
from dataclasses import dataclass, field
from functools import cache
from html import unescape

import nbformat
from docutils import nodes

from book.cells import blocks
from book.cells.places import notebook_path
from lmtune.notebook.claims import CHECKED
from lmtune.notebook.dot_plot import MARK

HEADING = re.compile(r"^(#{1,4}) (.+?)\s*$", re.MULTILINE)
FENCED = re.compile(r"^```.*?^```", re.MULTILINE | re.DOTALL)
TAGS = re.compile(r"<[^>]+>")
HOLDS = "claim holds: "
MISTAKES = "What tutorials get wrong, measured"


@dataclass
class Section:
    """A heading, or a mistake that folds, with what stands below it up to the next one."""

    title: str
    level: int  # 0 of a mistake that folds
    first: str  # its first paragraph, as Markdown
    of: str = ""  # the page on which it stands
    place: str = ""  # the id of a mistake
    printed: str = ""  # by its cells
    claims: list = field(default_factory=list)
    figures: list = field(default_factory=list)  # HTML

    @property
    def anchor(self):
        """Its id in the built page."""
        return self.place or nodes.make_id(self.plain)

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
def sections(page):
    """The sections of a page's notebook and the mistakes that fold in it, in order."""
    found = []
    inside = below = None  # the section in which a text stands; that, or a mistake, to which outputs belong
    for cell in nbformat.read(notebook_path(page), as_version=4).cells:
        if cell.cell_type == "markdown":
            below = inside
            for section in begun(cell.source, page):
                found.append(section)
                below = section
                inside = section if section.level else inside
        elif below:
            take(below, cell.get("outputs", []))
    return found


def begun(text, page):
    """The sections and mistakes that begin in a text."""
    text = FENCED.sub("", text)
    marks = sorted([*HEADING.finditer(text), *blocks.MISTAKE.finditer(text)], key=lambda mark: mark.start())
    for mark in marks:
        if mark.re is HEADING:
            below = HEADING.split(text[mark.end() :], maxsplit=1)[0].strip()
            yield Section(mark[2], len(mark[1]), below.split("\n\n")[0], page)
        else:
            yield Section(
                unescape(TAGS.sub("", mark["title"])), 0, mark["first"] + mark["source"], page, mark["anchor"]
            )


def take(section, outputs):
    """Add to a section what outputs say."""
    for output in outputs:
        printed = said(output)
        section.printed += printed
        section.claims += [line[len(HOLDS) :] for line in printed.splitlines() if line.startswith(HOLDS)]
        shown = output.get("data", {}).get("text/html", "")
        if 'class="lmtune-figure"' in shown:
            section.figures.append(shown)


def title(page):
    """The page's own title."""
    return sections(page)[0].title


def mistakes(page):
    """What was found in teaching material and measured: what folds beside its technique, and the old row of sections."""
    inside, found = False, []
    for section in sections(page):
        if section.level in (1, 2):
            inside = section.title == MISTAKES
        elif inside or not section.level:
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
