"""Directives and roles of the pages that collect what the notebooks measured.

`{claims} PART` lists the claims of a part's pages by section and `{mistakes} PART` what they
say that tutorials get wrong; `{figure-of} PAGE` shows the figure whose caption begins
with the body; `{costs}` is the table of run times, `{works}` the bibliography and
`{help-of} COMMAND` what a command says of its options. In a line, the role `claim` says the
claim of "PAGE: its beginning" with its interval, and the role `cost` how long a page
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
from book.cells.places import ROOT, names, pages_of, parts
from book.directives import collected

#: The difference, its unit, half its interval and what was repeated, behind a claim.
FIGURES = re.compile(r"\(difference (\S+) (.*?) ± (\S+),[^)]* % paired t over (\d+ .*)\)$")
SHORT = r"(\1 ± \3 \2, \4)"
WORKS = ROOT / "reference" / "bibliography.toml"


def minutes(seconds):
    """Seconds as people say them."""
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60} s"


def in_order(root=ROOT):
    """The notebooks as the table of contents has them."""
    parts = yaml.safe_load((root / "_toc.yml").read_text("utf-8"))["parts"]
    listed = [name.removeprefix("chapters/") for part in parts for name in files(part["chapters"])]
    return [name for name in listed if name in names(root)]


def files(entries):
    """The files of entries of the table of contents and of those below them."""
    return [name for entry in entries for name in (entry["file"], *files(entry.get("sections", [])))]


def to_section(directive, section):
    """A link to a section of a page, or to a mistake there, as a node."""
    up = "../" * directive.env.docname.count("/")
    address = f"{up}chapters/{section.of}.html#{section.anchor}"
    return nodes.reference("", section.plain, refuri=address, internal=True)


def bullets(texts):
    """A list of plain sentences."""
    return nodes.bullet_list("", *[nodes.list_item("", nodes.paragraph(text=text)) for text in texts])


class OfPart(SphinxDirective):
    """A directive that takes the name of a part, and collects from all its pages."""

    required_arguments = 1

    def run(self):
        if self.arguments[0] not in parts():
            raise self.error(f"no part {self.arguments[0]!r}; there are: {', '.join(parts())}")
        pages = pages_of(self.arguments[0])
        made = []
        for page in pages:
            shown = self.shown(page)
            if shown and len(pages) > 1:
                made.append(nodes.rubric(text=collected.sections(page)[0].plain))
            made += shown
        return made

    def where(self, section):
        """The line that says where a claim was measured."""
        return nodes.paragraph("", "", to_section(self, section), classes=["lmtune-where"])


class Claims(OfPart):
    """All claims, below links to the sections where they are measured."""

    def shown(self, page):
        made = []
        for section in collected.sections(page):
            if section.claims:
                made += [self.where(section), bullets(section.claims)]
        return made


class Mistakes(OfPart):
    """The mistakes that tutorials make: what is done, and what was measured of it."""

    def shown(self, page):
        made = []
        for section in collected.mistakes(page):
            measured = bullets(section.claims) if section.claims else nodes.literal_block(text=section.printed)
            made += [self.where(section), *self.parse_text_to_nodes(section.first), measured]
        return made


class FigureOf(SphinxDirective):
    """A figure of a page, with its caption and alternative text."""

    required_arguments = 1
    has_content = True

    def run(self):
        try:
            shown = collected.figure(self.arguments[0], " ".join(self.content))
        except (LookupError, FileNotFoundError) as missing:
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
