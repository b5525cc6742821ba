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
    paths = [path for path in folder.rglob("*.html") if not path.relative_to(folder).parts[0].startswith("_static")]
    pages = {path.resolve(): Page(path.read_text("utf-8")) for path in paths}
    found = []
    for path, page in pages.items():
        for address in sorted(page.addresses):
            to = urlsplit(address)
            if to.scheme or to.netloc:
                continue
            target = (path.parent / unquote(to.path)).resolve() if to.path else path
            fragment = unquote(to.fragment)
            known = pages[target].ids if target in pages else None
            if not target.exists() or (fragment and known is not None and fragment not in known):
                found.append(f"{path.relative_to(folder.resolve())} links to {address}, which is not there")
    return found
