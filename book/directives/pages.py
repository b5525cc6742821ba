"""Directives and roles of the pages that collect what the notebooks measured.

`{claims} CHAPTER` lists a chapter's claims by section and `{mistakes} CHAPTER` what it
says that tutorials get wrong; `{figure-of} CHAPTER` shows the figure whose caption begins
with the body; `{costs}` is the table of run times, `{works}` the bibliography and
`{help-of} COMMAND` what a command says of its options. In a line, the role `claim` says the
claim of "CHAPTER: its beginning" with its interval, and the role `cost` how long a chapter
runs. A name that is not found fails the build.
"""

import os
import re
import subprocess
import sys

import tomllib
import yaml
from docutils import nodes
from sphinx.util.docutils import SphinxDirective, SphinxRole

from book import measure
from book.cells.derive import ROOT, names
from book.directives import collected

#: The difference, its unit, half its interval and what was repeated, behind a claim.
FIGURES = re.compile(r"\(difference (\S+) (.*?) ± (\S+),[^)]* % paired t over (\d+ .*)\)$")
SHORT = r"(\1 ± \3 \2, \4)"
WORKS = ROOT / "reference" / "bibliography.toml"


def minutes(seconds):
    """Seconds as people say them."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def in_order():
    """The notebooks as the table of contents has them."""
    parts = yaml.safe_load((ROOT / "_toc.yml").read_text("utf-8"))["parts"]
    listed = [entry["file"].removeprefix("chapters/") for part in parts for entry in part["chapters"]]
    return [name for name in listed if name in names()]


def to_section(directive, chapter, section):
    """A link to a section of a chapter, as a node."""
    up = "../" * directive.env.docname.count("/")
    address = f"{up}chapters/{chapter}.html#{section.anchor}"
    return nodes.reference("", section.plain, refuri=address, internal=True)


def bullets(texts):
    """A list of plain sentences."""
    return nodes.bullet_list("", *[nodes.list_item("", nodes.paragraph(text=text)) for text in texts])


class OfChapter(SphinxDirective):
    """A directive that takes the name of a chapter."""

    required_arguments = 1

    @property
    def chapter(self):
        if self.arguments[0] not in names():
            raise self.error(f"no chapter {self.arguments[0]!r}; there are: {', '.join(names())}")
        return self.arguments[0]


class Claims(OfChapter):
    """All claims of a chapter, below links to the sections where they are measured."""

    def run(self):
        made = []
        for section in collected.sections(self.chapter):
            if section.claims:
                head = nodes.paragraph("", "", to_section(self, self.chapter, section), classes=["lmtune-where"])
                made += [head, bullets(section.claims)]
        return made


class Mistakes(OfChapter):
    """The mistakes of a chapter: what is done, and what was measured of it."""

    def run(self):
        made = []
        for section in collected.mistakes(self.chapter):
            head = nodes.paragraph("", "", to_section(self, self.chapter, section), classes=["lmtune-where"])
            shown = bullets(section.claims) if section.claims else nodes.literal_block(text=section.printed)
            made += [head, *self.parse_text_to_nodes(section.first), shown]
        return made


class FigureOf(OfChapter):
    """A figure of a chapter, with its caption and alternative text."""

    has_content = True

    def run(self):
        try:
            shown = collected.figure(self.chapter, " ".join(self.content))
        except LookupError as missing:
            raise self.error(str(missing)) from None
        return [nodes.raw("", shown, format="html")]


def settings(known):
    """Each machine and set of versions with which notebooks were measured, with their names where they differ."""
    found = {}
    for name, cost in known.items():
        versions = {**cost["versions"], "Python": cost["python"]}
        listed = ", ".join(f"{library} {number}" for library, number in versions.items())
        found.setdefault(f"{cost['machine']}, with {listed}", []).append(name)
    return [setting + (f" ({', '.join(names_)})" if len(found) > 1 else "") for setting, names_ in found.items()]


class Costs(SphinxDirective):
    """Run time, processor time and memory of every notebook, as recorded."""

    def run(self):
        rows = ["| Notebook | Time | Processor time | Memory | Measured |", "|---|--:|--:|--:|---|"]
        known = measure.record()
        for name in in_order():
            cost = known[name]
            rows.append(
                f"| [{collected.title(name)}](../chapters/{name}) | {minutes(cost['seconds'])} | "
                f"{minutes(cost['cpu_seconds'])} | {cost['megabytes'] / 1000:.1f} GB | {cost['date']} |"
            )
        text = "\n".join([*rows, "", *(f"Measured on {setting}." for setting in settings(known))])
        return [nodes.container("", *self.parse_text_to_nodes(text), classes=["lmtune-costs"])]


class HelpOf(SphinxDirective):
    """What a command of lmtune says of its options."""

    required_arguments, optional_arguments = 1, 1

    def run(self):
        said = subprocess.run(
            [sys.executable, "-m", "lmtune", *self.arguments, "--help"],
            cwd=ROOT,
            check=True,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "COLUMNS": "88", "NO_COLOR": "1"},
        )
        return [nodes.literal_block(text=said.stdout, language="text")]


class Works(SphinxDirective):
    """The bibliography, one paragraph for each work, by kind."""

    KINDS = {"paper": "Papers", "documentation": "Documentation", "code": "Source code", "data": "Data"}

    def run(self):
        made = []
        works = tomllib.loads(WORKS.read_text("utf-8"))["work"]
        for kind, shown in self.KINDS.items():
            lines = [f"- {line(work)}" for work in works if work["kind"] == kind]
            if lines:
                made += [nodes.rubric(text=shown), *self.parse_text_to_nodes("\n".join(lines))]
        return made


def line(work):
    """One work as Markdown."""
    year = f" ({work['year']})" if work["year"] else ""
    return f"{work['authors']}{year}. [{work['title']}]({work['link']}). {work['venue']}."


class Claim(SphinxRole):
    """A claim of a chapter, with its difference and interval alone, as "(-2.990 ± 0.089 nats, 5 seeds)"."""

    def run(self):
        chapter, _, start = self.text.partition(": ")
        return said(self, lambda: FIGURES.sub(SHORT, collected.claim(chapter, start)))


class Cost(SphinxRole):
    """How long a chapter runs."""

    def run(self):
        return said(self, lambda: minutes(measure.record()[self.text]["seconds"]))


def said(role, text):
    """The text as a node, or an error in the build."""
    try:
        return [nodes.Text(text())], []
    except LookupError as missing:
        return [], [role.inliner.reporter.error(f"{role.name}: {missing}", line=role.lineno)]


def setup(app):
    for name, directive in {
        "claims": Claims,
        "mistakes": Mistakes,
        "figure-of": FigureOf,
        "costs": Costs,
        "help-of": HelpOf,
        "works": Works,
    }.items():
        app.add_directive(name, directive)
    app.add_role("claim", Claim())
    app.add_role("cost", Cost())
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
