"""The terms of the glossary, and whether the book's own search finds them."""

import re

from book.cells.places import ROOT

PAGE = ROOT / "reference" / "glossary.md"
#: The names of the pages that a search for a text would list.
RESULTS = """text => {
    const [query, searched, excluded, highlighted, objects] = Search._parseQuery(text);
    return Search._performSearch(query, searched, excluded, highlighted, objects).map(found => found[0]);
}"""


def terms(text=None):
    """The terms of the page's glossary directive, synonyms included, in their order."""
    text = PAGE.read_text("utf-8") if text is None else text
    inside = re.search(r"^```\{glossary\}\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)[1]
    return [line.strip() for line in inside.splitlines() if line.strip() and not line.startswith((" ", ":"))]


def unfound(page, address):
    """The terms that a search in an open page of a browser does not find in the glossary."""
    page.goto(f"{address}/search.html", wait_until="networkidle")
    page.wait_for_function("() => typeof Search !== 'undefined' && Search.hasIndex()")
    return [term for term in terms() if "reference/glossary" not in page.evaluate(RESULTS, term)]
