"""What the browser refuses of a built page in the new form, tried on pages made for it; skipped without a browser."""

import shutil

import pytest

from book import browser
from book.site import form_check

PAGE = """<!doctype html><html lang="en"><title>A page</title><body style="margin: 0">
<nav>{nav}</nav><article class="bd-article" style="width: 700px"><div class="lmtune-head">Head</div>{body}</article>"""
PRE = '<div class="cell_input"><div class="highlight"><pre style="overflow: auto">{}</pre></div></div>'


@pytest.fixture(scope="module")
def page():
    executable = next(filter(None, map(shutil.which, browser.BROWSERS)), None)
    if executable is None:
        pytest.skip("no Chromium here")
    sync_api = pytest.importorskip("playwright.sync_api")
    with sync_api.sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=executable, args=browser.FLAGS)
        yield started.new_page(viewport={"width": form_check.WIDTH, "height": 900})
        started.close()


def problems(page, body, nav=""):
    page.set_content(PAGE.format(nav=nav, body=body))
    return form_check.problems(page)


def test_the_words_in_sight_of_the_article_are_counted(page):
    words = "word " * 1749
    assert problems(page, f"<p>{words}</p><table><tr><td>{words}</td></tr></table> + -") == []
    (found,) = problems(page, f"<p>{words}</p><p>{words} one two three</p>")
    assert found.startswith("3502 words are in sight, more than 3500")


def test_what_is_folded_or_outside_or_read_aloud_alone_is_not_counted(page):
    words = "word " * 4000
    aside = f"<details><summary>One</summary>{words}</details><button>{words}</button>"
    assert problems(page, aside + f"<mjx-assistive-mml>{words}</mjx-assistive-mml>", nav=words) == []
    assert len(problems(page, f"<details open><summary>One</summary>{words}</details>")) == 1


def test_code_that_is_cut_off_is_refused(page):
    assert problems(page, PRE.format("x = 1")) == []
    (found,) = problems(page, PRE.format(f"x = '{'y' * 200}'"))
    assert found.startswith("the code that begins with \"x = 'yyy") and "is cut off by" in found
    assert problems(page, f"<details><summary>s</summary>{PRE.format('x' * 300)}</details>") == []


def test_code_of_more_than_a_dozen_lines_is_refused(page):
    assert problems(page, PRE.format("x = 1\n\n" * 12)) == []
    (found,) = problems(page, PRE.format("x = 1\n" * 13))
    assert "shows 13 lines, more than 12" in found


def test_a_page_without_a_head_is_left_alone(page):
    page.set_content(f"<article class='bd-article'>{PRE.format('x' * 300)}{'word ' * 4000}</article>")
    assert form_check.problems(page) == []
