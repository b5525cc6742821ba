"""The terms of the glossary, what it says of them, and whether the book's own search finds them."""

import re

from book.cells.places import ROOT

PAGE = ROOT / "reference" / "glossary.md"
#: Roles, backticks and stars around what they mark, and the entry behind what a role shows.
MARKS = re.compile(r"\{\w+\}(?=`)| <[^<>`]+>(?=`)|[`*]")
#: The names of the pages that a search for a text would list.
RESULTS = """text => {
    const [query, searched, excluded, highlighted, objects] = Search._parseQuery(text);
    return Search._performSearch(query, searched, excluded, highlighted, objects).map(found => found[0]);
}"""


def entries(text=None):
    """The entries of the page's glossary directive: the names of each, and the first sentence said of it."""
    text = PAGE.read_text("utf-8") if text is None else text
    inside = re.search(r"^```\{glossary\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    found = []
    for entry in re.split(r"\n\n(?=\S)", inside.strip()):
        lines = entry.splitlines()
        names = [line.strip() for line in lines if line.strip() and not line.startswith((" ", ":"))]
        found.append((names, first_sentence(" ".join(line.strip() for line in lines if line.startswith(" ")))))
    return found


def first_sentence(said):
    """The first sentence as plain text; none where it holds mathematics that plain text cannot say."""
    sentence = re.split(r"(?<=[.?!:])\s", MARKS.sub("", said), maxsplit=1)[0]
    return "" if "\\" in sentence else sentence.replace("$", "").rstrip(":")


def terms(text=None):
    """The terms of the page's glossary directive, synonyms included, in their order."""
    return [name for names, _ in entries(text) for name in names]


def unfound(page, address):
    """The terms that a search in an open page of a browser does not find in the glossary."""
    page.goto(f"{address}/search.html", wait_until="networkidle")
    page.wait_for_function("() => typeof Search !== 'undefined' && Search.hasIndex()")
    return [term for term in terms() if "reference/glossary" not in page.evaluate(RESULTS, term)]
