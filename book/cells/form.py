"""What a page in the new form must keep to, as far as its notebook shows it.

`book.site.form_check` looks at the built page: what is cut off there, and how many words it has.
"""

from book.cells import head, reading
from book.cells.places import ROOT, pages, source_path

#: Code in sight: lines that are not blank, and characters in each.
MOST_LINES = 12
WIDEST = 88
#: Pages that were written before there was a head, and are being rewritten one after the other. A page leaves the
#: list when it gets its head; none enters it.
WITHOUT_HEAD = ("first-fine-tune", "hyperparameter-tuning", "optimization", "regularization", "transfer-learning")


def has_head(name, root=ROOT):
    """Whether a page's source has a head, and so is held to the form."""
    lines = source_path(name, root).read_text("utf-8").splitlines()
    return any(line.strip() == "# ```head" for line in lines)


def held(root=ROOT):
    """The pages that are held to the form."""
    return [name for name in pages(root) if has_head(name, root)]


def without_reason(root=ROOT):
    """A sentence for each page that has no head and should, or is excused and needs no excuse."""
    found = []
    for name in pages(root):
        if not has_head(name, root) and name not in WITHOUT_HEAD:
            found.append(f"{name} has no head; book/cells/head.py says what stands in one")
        if has_head(name, root) and name in WITHOUT_HEAD:
            found.append(f"{name} has a head; take it off the list in book/cells/form.py")
    return found + [f"{name} is no page; take it off the list" for name in WITHOUT_HEAD if name not in pages(root)]


def shape(notebook):
    """The page begins with its title and a head, and its code in sight is short and narrow."""
    found = [] if any(head.MARK in cell.source for cell in notebook.cells[:3]) else ["the page has no head"]
    for block in reading.code_blocks(notebook.cells):
        lines = reading.code_lines(block)
        begins = f"the code that begins with {lines[0].strip()[:50]!r}" if lines else ""
        if len(lines) > MOST_LINES:
            found.append(f"{begins} shows {len(lines)} lines, more than {MOST_LINES}: fold it, or split it")
        wide = [line for line in lines if len(line) > WIDEST]
        if wide:
            found.append(
                f"{begins} has a line of {len(wide[0])} characters, more than {WIDEST}: {wide[0].strip()[:40]!r}"
            )
    return found
