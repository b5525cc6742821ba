"""Look at the built book in a real browser: python -m book.browser [--screenshots DIR]

Every page is opened wide and narrow, in light and dark, with every request
that leaves the machine refused and counted.
"""

import argparse
import os
import shutil
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

from book import serve
from book.build import HTML
from book.site import form_check, glossary, progress_check
from book.site import formula_check as formulas
from book.site.page import HEAVIEST, inspect_page, weight

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WIDTHS = (form_check.WIDTH, 375)
SCHEMES = ("light", "dark")
#: Opened without a server as well, as from a USB stick.
FROM_DISK = ("index.html", "chapters/regularization.html", "search.html")


class Tally:
    """Counts the checks and prints each failure when it happens."""

    def __init__(self):
        self.passed = self.failed = 0

    def __call__(self, holds, text):
        if holds:
            self.passed += 1
        else:
            self.failed += 1
            print(f"FAILED {text}", flush=True)


def pages(folder=HTML):
    """The book's own pages; the theme keeps templates under _static."""
    found = (path.relative_to(folder) for path in folder.rglob("*.html"))
    return sorted(str(path) for path in found if not path.parts[0].startswith("_"))


class Watch:
    """Records what a page asks for and complains of."""

    def __init__(self, page, address):
        self.outside, self.missing, self.errors, self.loaded = [], [], [], []
        self.address = address
        page.route("**/*", self.refuse_outside)
        page.on("response", self.note_missing)
        page.on("console", lambda message: self.errors.append(message.text) if message.type == "error" else None)
        page.on("pageerror", lambda error: self.errors.append(str(error)))
        page.on("websocket", lambda socket: self.outside.append(socket.url))

    def refuse_outside(self, route):
        if route.request.url.startswith(self.address + "/"):
            route.continue_()
        else:
            self.outside.append(route.request.url)
            route.abort()

    def note_missing(self, response):
        if response.status >= 400:
            self.missing.append(response.url)
        else:
            folder, path = urlsplit(self.address).path, urlsplit(response.url).path
            self.loaded.append(unquote(path.removeprefix(folder)).lstrip("/"))


def visit(browser, address, name, width, scheme, tally, screenshots):
    """Open one page in one form and check it."""
    where = f"{name} at {width} px, {scheme}"
    context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    # The theme reads the reader's choice from here.
    context.add_init_script(f"localStorage.setItem('mode', '{scheme}'); localStorage.setItem('theme', '{scheme}');")
    page = context.new_page()
    watch = Watch(page, address)
    page.goto(f"{address}/{name}", wait_until="networkidle")
    heavy = weight(HTML, watch.loaded)
    tally(heavy <= HEAVIEST, f"{where}: the first load is {heavy:,} bytes compressed, more than {HEAVIEST:,}")
    if screenshots:
        screenshots.mkdir(parents=True, exist_ok=True)
        page.screenshot(path=screenshots / f"{Path(name).stem}-{width}-{scheme}.png", full_page=True)
    if width == form_check.WIDTH:  # before the folds are opened
        found = form_check.problems(page)
        tally(not found, f"{where}: {'; '.join(found)}")
    inspect_page(page, where, scheme, tally)
    tally(not watch.outside, f"{where}: asked outside for {watch.outside}")
    tally(not watch.missing, f"{where}: files missing: {watch.missing}")
    tally(not watch.errors, f"{where}: console errors: {watch.errors}")
    context.close()
    return len(watch.outside)


def search_and_compute(page, address, tally):
    """The search finds the glossary's terms, the formulas of the page give what lmtune does, and progress is kept."""
    unfound = glossary.unfound(page, address)
    tally(not unfound, f"the search does not find these terms of the glossary: {', '.join(unfound)}")
    print(f"browser: {len(glossary.terms())} terms of the glossary searched for", flush=True)
    page.goto(f"{address}/{formulas.PAGE}")
    found = formulas.differences(page)
    tally(not found, "; ".join(found))
    print("browser: the formulas that a page computes held against lmtune", flush=True)
    found = progress_check.problems(page, address)
    tally(not found, "; ".join(found))
    print("browser: progress marked, loaded again, saved, forgotten and read back", flush=True)


def look(executable, screenshots):
    """Visit every page; return the tally."""
    from playwright.sync_api import sync_playwright

    server, address = serve.start()
    tally, outside = Tally(), 0
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        for name in pages():
            for width in WIDTHS:
                for scheme in SCHEMES:
                    outside += visit(browser, address, name, width, scheme, tally, screenshots)
            print(f"browser: {name} looked at in {len(WIDTHS) * len(SCHEMES)} forms", flush=True)
        search_and_compute(browser.new_page(), address, tally)
        for name in FROM_DISK:
            outside += visit(browser, HTML.as_uri(), name, WIDTHS[0], SCHEMES[0], tally, None)
        print(f"browser: {len(FROM_DISK)} pages opened from the disk", flush=True)
        browser.close()
    server.shutdown()
    print(f"browser: {outside} outside requests")
    return tally


def main(arguments=None):
    parser = argparse.ArgumentParser(prog="python -m book.browser", description=__doc__)
    parser.add_argument("--screenshots", type=Path, metavar="DIR", help="save a picture of each page here")
    options = parser.parse_args(arguments)
    if not (HTML / "index.html").exists():
        print("browser: there is no built book yet; run: make book")
        return 1
    executable = next(filter(None, map(shutil.which, BROWSERS)), None)
    if executable is None:
        print("browser: skipped, for none of these is installed: " + ", ".join(BROWSERS))
        return 1 if os.environ.get("CI") == "true" else 0
    tally = look(executable, options.screenshots)
    print(f"{tally.passed} passed, {tally.failed} failed")
    return 1 if tally.failed else 0


if __name__ == "__main__":
    sys.exit(main())
