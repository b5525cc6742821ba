"""Try in a browser what keeps a reader's progress: `static/progress.js` on built pages."""

import json
import tempfile
from pathlib import Path

PART = "regularization"
ROOT = "#lmtune-progress"
#: A browser that keeps nothing, as some do for pages from a disk or in private windows.
NO_STORAGE = "Object.defineProperty(window, 'localStorage', {get() { throw new DOMException('no', 'SecurityError'); }})"


def counts(page, address):
    """What the landing page says of each page or part: its title, and how many of how many things are done."""
    page.goto(f"{address}/index.html")
    lines = page.locator(f"{ROOT} li").all()
    links = [one.locator(":scope > a").inner_text() for one in lines]
    return dict(zip(links, [one.locator(":scope > .lmtune-count").inner_text() for one in lines]))


def problems(page, address, part=PART):
    """A sentence for each thing that goes wrong with progress in an open browser whose storage is empty."""
    found = []

    def must(holds, text):
        if not holds:
            found.append(f"progress: {text}")

    before = counts(page, address)
    must(before and all(said.startswith("0 of ") for said in before.values()), f"at first something is done: {before}")
    page.goto(f"{address}/chapters/{part}.html")
    boxes = page.locator(".lmtune-done input")
    kinds = {name.split(":")[0] for name in boxes.evaluate_all("all => all.map(one => one.dataset.lmtuneBox)")}
    must(kinds == {"page", "exercise", "question"}, f"only these can be marked on a page: {sorted(kinds)}")
    boxes.first.press("Space")
    boxes.last.click()
    page.reload()
    must(boxes.first.is_checked() and boxes.last.is_checked(), "what was marked is gone when the page is loaded again")
    page.goto(f"{address}/index.html")
    after = counts(page, address)
    changed = {title: said for title, said in after.items() if said != before.get(title)}
    must(changed and all(said.startswith("2 of ") for said in changed.values()), f"two marks are counted as {changed}")
    page.emulate_media(media="print")
    must(not page.locator(ROOT).is_visible(), "the progress is printed")
    page.emulate_media(media="screen")
    return found + files(page, address, after, before) + silent(page, address, part)


def files(page, address, after, before):
    """The same for the buttons of the landing page: to a file, forgotten, from a file, and from one that is none."""
    with tempfile.TemporaryDirectory() as folder:
        saved, wrong = Path(folder) / "saved.json", Path(folder) / "wrong.json"
        with page.expect_download() as download:
            page.get_by_role("button", name="Save to a file").click()
        download.value.save_as(saved)
        if len(json.loads(saved.read_text("utf-8"))["done"]) != 2:
            return [f"progress: the file does not hold the two marks: {saved.read_text('utf-8')}"]
        wrong.write_text('{"version": 1}', "utf-8")
        page.once("dialog", lambda dialog: dialog.accept())
        page.get_by_role("button", name="Forget all").click()
        found = [] if counts(page, address) == before else ["progress: what was forgotten is still there"]
        for path, expected, says in ((wrong, before, "no progress"), (saved, after, "2 marks")):
            page.locator(f"{ROOT} input[type=file]").set_input_files(path)
            said = answer(page)
            if says not in said or counts(page, address) != expected:
                found.append(f"progress: of the file {path.name} the page says {said!r}")
        return found


def answer(page, tenths=30):
    """What the landing page says once it has read a file; nothing where it goes on saying nothing."""
    for _ in range(tenths):
        if said := page.locator(f"{ROOT} .lmtune-says").text_content():
            return said
        page.wait_for_timeout(100)
    return ""


def silent(page, address, part):
    """The same for a browser that keeps nothing: no box, and no error."""
    bare = page.context.browser.new_page()
    bare.add_init_script(NO_STORAGE)
    errors = []
    bare.on("pageerror", lambda error: errors.append(str(error)) if "progress.js" in (error.stack or "") else None)
    shown = 0
    for name in ("index.html", f"chapters/{part}.html"):
        bare.goto(f"{address}/{name}")
        shown += bare.locator(f".lmtune-done, {ROOT} *").count()
    bare.close()
    return [f"progress: without storage {shown} things appear and {errors} happen"] if shown or errors else []
