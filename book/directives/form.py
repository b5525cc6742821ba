"""What the built page adds to a page in the new form: links that a notebook cannot have.

The short path in its head leads to the sections that it names, and a term of the glossary to its entry where it
first stands. (An address within a notebook is another one in Jupyter, and in Colab there is none.)
"""

import re

from docutils import nodes

from book.cells import head
from book.site import glossary

SHORT = "Short path"
PROSE = (nodes.paragraph, nodes.emphasis, nodes.strong)
#: HTML that begins or ends what is no running text: a fold, or the head.
BEGINS, ENDS = re.compile(r"<(?:details|div)\b"), re.compile(r"</(?:details|div)>")


def raw(node):
    """Whether a node is HTML that stands in the page as it is."""
    return isinstance(node, nodes.raw) and node.get("format") == "html"


def in_new_form(doctree):
    """Whether a page has a head."""
    return any(raw(node) and head.MARK in node.astext() for node in doctree.findall(nodes.raw))


def link_short_path(doctree):
    """Make the titles of the short path lead to their sections."""
    sections = {node.next_node(nodes.title).astext(): node["ids"][0] for node in doctree.findall(nodes.section)}
    for paragraph in doctree.findall(nodes.paragraph):
        if paragraph.astext().startswith(SHORT):
            for title in list(paragraph.findall(nodes.emphasis)):
                to = nodes.reference("", title.astext(), refid=sections[title.astext()], internal=True)
                title.parent.replace(title, to)
            return


def pattern(names):
    """What finds the names of an entry in a text: capitals as they stand, plurals too, whole words alone."""

    def one(name):
        name = re.sub(r" \(.*\)$", "", name)
        found = r"\s+".join(map(re.escape, name.split()))
        return f"(?i:{found[0]}){found[1:]}" if name[0].islower() else found

    return re.compile(rf"(?<![\w-])(?:{'|'.join(map(one, sorted(names, key=len, reverse=True)))})(?:e?s)?(?![\w-])")


def texts(doctree):
    """The pieces of running text: no headings, code, links, mathematics, outputs, folds, and not the head."""
    depth = 0
    for node in list(doctree.findall()):
        if raw(node):
            depth += len(BEGINS.findall(node.astext())) - len(ENDS.findall(node.astext()))
        if isinstance(node, nodes.paragraph) and depth == 0 and not within(node, nodes.reference, nodes.container):
            join_texts(node)
            yield from [t for t in node.findall(nodes.Text) if isinstance(t.parent, PROSE)]


def within(node, *kinds):
    """Whether a node stands inside of one of these kinds, of which every output of a cell is a container."""
    while node.parent is not None:
        node = node.parent
        if isinstance(node, kinds):
            return True
    return False


def join_texts(parent):
    """Make one text of neighbours; each line of a source is one by itself, and a term may go over two."""
    for child in list(parent.children):
        if isinstance(child, nodes.Element):
            join_texts(child)
        place = parent.index(child)
        if place and isinstance(child, nodes.Text) and isinstance(parent[place - 1], nodes.Text):
            parent[place - 1 : place + 1] = [nodes.Text(parent[place - 1] + child)]


def link_terms(doctree, addresses):
    """Link each term of the glossary where it first stands in a page; `addresses` are (names, address, title)."""
    waiting = [(pattern(names), address, title) for names, address, title in addresses]
    for text in texts(doctree):
        pieces, rest = [], str(text)
        while found := [(m, entry) for entry in waiting if (m := entry[0].search(rest))]:
            # The first of them, and of two that begin together the longer one.
            match, entry = min(found, key=lambda one: (one[0].start(), -one[0].end()))
            _, address, title = entry
            link = nodes.reference("", match[0], refuri=address, internal=True, classes=["lmtune-term"])
            if title:
                link["reftitle"] = title
            pieces += [nodes.Text(rest[: match.start()]), link]
            rest = rest[match.end() :]
            waiting.remove(entry)
        if pieces:
            text.parent.replace(text, [*pieces, nodes.Text(rest)])


def addresses(app, docname):
    """Where the entries of the glossary stand, seen from a page."""
    known = app.env.get_domain("std").objects
    for names, title in glossary.entries():
        page, anchor = known.get(("term", names[0]), (None, None))
        if page:
            yield names, f"{app.builder.get_relative_uri(docname, page)}#{anchor}", title


def finish(app, doctree, docname):
    """Link what a page in the new form names."""
    if in_new_form(doctree):
        link_short_path(doctree)
        link_terms(doctree, list(addresses(app, docname)))


def setup(app):
    app.connect("doctree-resolved", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
