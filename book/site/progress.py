"""What a reader can mark as done: in each built page its exercises and questions get a name, and the landing page a list.

`static/progress.js` puts a checkbox beside whatever has a name, and keeps what was ticked in the reader's browser. A
question is known by its words and an exercise by its id, so both may move.
"""

import hashlib
import html
import json
import re

from book.cells import quiz
from book.cells.derive import GENERATED
from book.cells.places import ROOT, pages, part_of, source_path
from book.directives import collected
from book.directives.pages import in_order

ARTICLE = re.compile(r'<article class="bd-article"(?=[ >])')
EXERCISE = re.compile(r"<p>(?=<em>(?:Warm-up|Core|Challenge), about \d+ minutes\.</em>)")
QUESTION = re.compile(r'<p>(?=<strong>\d+\.</strong>(?:(?!</p>).)*</p>\s*<details class="lmtune-choice)', re.DOTALL)
ASKS = re.compile(r"\{\{quiz:([\w-]+)\}\}")
BOX = '<div id="lmtune-progress">'


def exercises(page, root=ROOT):
    """The names of the exercises of a page, in their order."""
    marks = GENERATED.findall(source_path(page, root).read_text("utf-8"))
    return [f"exercise:{part}/{exercise}" for kind, part, exercise in marks if kind == "exercise"]


def questions(page, root=ROOT):
    """The names of the questions of a page, in their order."""
    found = []
    for asked in ASKS.findall(source_path(page, root).read_text("utf-8")):
        for question in quiz.read(asked, root):
            words = " ".join(question["ask"].split())
            found.append(f"question:{page}/{hashlib.blake2b(words.encode(), digest_size=5).hexdigest()}")
    return found


def named(text, page, root=ROOT):
    """A built page whose article, exercises and questions have names; RuntimeError where they are not found in it."""
    text = ARTICLE.sub(rf'\g<0> data-lmtune-page="{page}"', text, count=1)
    for pattern, names in ((EXERCISE, exercises(page, root)), (QUESTION, questions(page, root))):
        found = len(pattern.findall(text))
        if found != len(names):
            raise RuntimeError(
                f"{page} has {len(names)} of {', '.join(names) or 'no exercises or questions'}, and {found} were found "
                "in its built page: book/site/progress.py must follow what book/cells writes"
            )
        waiting = iter(names)
        text = pattern.sub(lambda _, waiting=waiting: f'<p data-lmtune-item="{next(waiting)}">', text)
    return text


def contents(root=ROOT):
    """Each part with its pages, in the order of the table of contents, and of each page what can be done there."""
    listed = {}
    for page in [name for name in in_order(root) if "/" not in name]:
        items = [f"page:{page}", *exercises(page, root), *questions(page, root)]
        entry = {"title": collected.title(page), "address": f"chapters/{page}.html", "items": items}
        listed.setdefault(part_of(page, root), []).append(entry)
    return [{"title": collected.title(part), "pages": entries} for part, entries in listed.items()]


def mark(folder, root=ROOT):
    """Name what can be done in every page of the built book, and list it on the landing page."""
    for page in pages(root):
        path = folder / "chapters" / f"{page}.html"
        path.write_text(named(path.read_text("utf-8"), page, root), "utf-8")
    index = folder / "index.html"
    text = index.read_text("utf-8")
    if text.count(BOX) != 1:
        raise RuntimeError(f"the landing page has {text.count(BOX)} places for the progress, {BOX}; it needs one")
    listed = html.escape(json.dumps(contents(root), ensure_ascii=False), quote=True)
    index.write_text(text.replace(BOX, f'{BOX[:-1]} data-contents="{listed}">'), "utf-8")
