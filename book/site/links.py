"""Every link between the pages of the built book leads somewhere."""

from html.parser import HTMLParser
from urllib.parse import unquote, urlsplit


class Page(HTMLParser):
    """The ids of a page and the addresses that it links to."""

    def __init__(self, text):
        super().__init__()
        self.ids, self.addresses = set(), set()
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        given = dict(attributes)
        self.ids |= {given[name] for name in ("id", "name") if given.get(name)}
        if tag == "a" and given.get("href"):
            self.addresses.add(given["href"])


def broken(folder):
    """A line for each link of a page of `folder` to a file or a place in it that is not there."""
    folder = folder.resolve()
    paths = [path for path in folder.rglob("*.html") if path.relative_to(folder).parts[0] != "_static"]
    pages = {path: Page(path.read_text("utf-8")) for path in paths}
    return [
        f"{path.relative_to(folder).as_posix()} links to {address}, which is not there"
        for path, page in pages.items()
        for address in sorted(page.addresses)
        if not leads(address, path, folder, pages)
    ]


def leads(address, page, folder, pages):
    """Whether an address on a page is outside of the book, or a file in it, with the place that is named."""
    try:
        to = urlsplit(address)
        if to.scheme or to.netloc:
            return True
        target = (page.parent / unquote(to.path)).resolve() if to.path else page
    except ValueError:
        return False
    if not (target.is_relative_to(folder) and target.is_file()):
        return False
    return not to.fragment or target not in pages or unquote(to.fragment) in pages[target].ids
