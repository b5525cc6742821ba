"""What a reader read and did is named in the built pages, and kept by the browser; the latter is skipped without one."""

import shutil

import pytest

from book import browser, serve
from book.cells import places
from book.directives import collected
from book.site import progress, progress_check

PAGE = """<!doctype html><html lang="en"><head><title>A page</title><script src="{up}_static/progress.js"></script>
<link rel="stylesheet" href="{up}_static/form.css"></head><body><article class="bd-article">{body}</article></body>"""
EXERCISE = "<p><em>Core, about 5 minutes.</em> Write it.</p>"
QUESTION = (
    '<p><strong>1.</strong> Which <em>one</em>?</p>\n<details class="lmtune-choice"><summary>A</summary></details>'
)
QUIZ = """
[[question]]
ask = "Which *one*?"
section = "A"
choice = [{text = "a", why = "b"}, {text = "c", right = true, why = "d"}, {text = "e", why = "f"}]
"""
SOURCE = "# %% [markdown]\n# # Part\n#\n# {{quiz:NAME}}\n#\n# {{exercise:regularization/l1-step}}\n"


@pytest.fixture
def book(tmp_path, monkeypatch):
    """A part of two pages, and these as a build would leave them."""
    (tmp_path / "_toc.yml").write_text(
        "parts:\n- chapters:\n  - file: chapters/part\n    sections: [{file: chapters/more}]\n"
    )
    for name, file in (("part", "chapter.py"), ("more", "pages/more.py")):
        source = tmp_path / "chapters" / "part" / file
        source.parent.mkdir(parents=True, exist_ok=True)
        source.write_text(SOURCE.replace("NAME", name))
        places.quiz_path(name, tmp_path).write_text(QUIZ)
    folder = tmp_path / "html"
    for name in ("index.html", "chapters/part.html", "chapters/more.html"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        body = f"{progress.BOX}</div>" if name == "index.html" else f"<h1>Part</h1>{QUESTION}{EXERCISE}"
        (folder / name).write_text(PAGE.format(up="../" * name.count("/"), body=body))
    (folder / "_static").mkdir()
    for name in ("progress.js", "form.css"):
        shutil.copy(places.ROOT / "static" / name, folder / "_static")
    monkeypatch.setattr(collected, "title", lambda page: f"Title of {page}")
    return tmp_path


def test_what_can_be_done_is_named_and_listed(book):
    progress.mark(book / "html", book)
    text = (book / "html" / "chapters" / "more.html").read_text()
    (question,) = progress.questions("more", book)
    assert 'data-lmtune-page="more"' in text
    assert '<p data-lmtune-item="exercise:regularization/l1-step"><em>Core' in text
    assert f'<p data-lmtune-item="{question}"><strong>1.</strong>' in text
    (part,) = progress.contents(book)
    assert [page["title"] for page in part["pages"]] == ["Title of part", "Title of more"]
    assert part["pages"][1]["items"] == ["page:more", "exercise:regularization/l1-step", question]
    assert 'data-contents="[{&quot;title&quot;' in (book / "html" / "index.html").read_text()


def test_a_question_is_known_by_its_words_on_its_page(book):
    before = progress.questions("more", book)
    path = places.quiz_path("more", book)
    path.write_text(QUIZ.replace('"b"', '"another reason"'))
    assert progress.questions("more", book) == before != progress.questions("part", book)
    path.write_text(QUIZ.replace("Which", "What"))
    assert progress.questions("more", book) != before


@pytest.mark.parametrize(
    "name, lost", [("chapters/part.html", EXERCISE), ("chapters/more.html", QUESTION), ("index.html", progress.BOX)]
)
def test_a_build_that_looks_different_is_refused(book, name, lost):
    path = book / "html" / name
    path.write_text(path.read_text().replace(lost, ""))
    with pytest.raises(RuntimeError, match="must follow|it needs one"):
        progress.mark(book / "html", book)


def test_every_page_of_the_book_has_something_to_do():
    for part in progress.contents():
        for page in part["pages"]:
            assert len(page["items"]) == len(set(page["items"])) > 1, page["title"]


@pytest.fixture(scope="module")
def chromium():
    executable = next(filter(None, map(shutil.which, browser.BROWSERS)), None)
    if executable is None:
        pytest.skip("no Chromium here")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=browser.FLAGS)
        yield started
        started.close()


@pytest.fixture
def page(chromium):
    """A page of a reader who has never been here."""
    context = chromium.new_context()
    yield context.new_page()
    context.close()


def tried(page, book):
    progress.mark(book / "html", book)
    server, address = serve.start(book / "html")
    try:
        return progress_check.problems(page, address, "part")
    finally:
        server.shutdown()


def test_progress_lasts_and_travels(page, book):
    assert tried(page, book) == []


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("    write(done);", "", "is gone when the page is loaded again"),
        ("items.filter(name => name in done)", "items", "at first something is done"),
        ("localStorage.removeItem(KEY);", "", "still there"),
        ("if (!given) return", "if (false) return", "wrong.json"),
        ("} catch { return; }", "} catch { /* on */ }", "without storage"),
        ("article.append(", "void (", "only these can be marked"),
    ],
)
def test_the_check_notices_what_is_broken(page, book, old, new, says):
    script = book / "html" / "_static" / "progress.js"
    assert script.read_text().count(old) == 1
    script.write_text(script.read_text().replace(old, new))
    assert any(says in problem for problem in tried(page, book))
