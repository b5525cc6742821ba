"""What the built page adds to a page in the new form: links that a notebook cannot have.

The short path in its head leads to the sections that it names, and a term of the glossary to its entry where it
first stands. (An address within a notebook is another one in Jupyter, and in Colab there is none.)
"""

from docutils import nodes

from book.cells import head

SHORT = "Short path"


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


def finish(app, doctree, docname):
    """Link what a page in the new form names."""
    if in_new_form(doctree):
        link_short_path(doctree)


def setup(app):
    app.connect("doctree-resolved", finish)
    return {"version": "1", "parallel_read_safe": True, "parallel_write_safe": True}
