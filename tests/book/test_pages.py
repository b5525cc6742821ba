"""The pages that collect what the notebooks measured leave nothing out and make nothing up."""

import base64
import gzip
import re
from urllib.parse import unquote

import nbformat
import pytest
import tomllib

from book import measure
from book.cells import form, places
from book.directives import collected, pages
from book.site import finish, glossary, icons, links

CHAPTERS = [name for name in places.names() if "/" not in name]
REFERENCE = places.ROOT / "reference"
ADDRESS = re.compile(r"\]\((https?://[^)\s]+)\)")
#: Addresses that are not works: licences, and places that a reader is told to replace.
NO_WORK = re.compile(r"https://(?:creativecommons\.org|github\.com/(?:you|OWNER|someone)/)")


@pytest.mark.parametrize("page, directive", [("claims", "claims"), ("mistakes", "mistakes")])
def test_every_part_is_collected(page, directive):
    text = (REFERENCE / f"{page}.md").read_text("utf-8")
    assert sorted(re.findall(rf"^:::\{{{directive}\}} (.+)$", text, re.MULTILINE)) == places.parts()


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_claim_of_a_notebook_is_collected(chapter):
    printed = sum(
        (output.get("text", "") + output.get("data", {}).get("text/plain", "")).count("claim holds: ")
        for cell in notebook(chapter).cells
        for output in cell.get("outputs", [])
    )
    assert printed == sum(len(section.claims) for section in collected.sections(chapter))
    assert printed > (15 if chapter in form.WITHOUT_HEAD else 0)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_each_mistake_of_a_chapter_is_told_and_measured(chapter):
    found = collected.mistakes(chapter)
    assert len(found) >= (5 if chapter in form.WITHOUT_HEAD else 0)
    assert all(section.first and (section.claims or section.printed) for section in found)
    assert sum(bool(section.claims) for section in found) >= len(found) - 1


def test_the_table_of_contents_names_every_notebook(tmp_path):
    assert sorted(pages.in_order()) == sorted(places.names())
    (tmp_path / "chapters" / "part" / "pages").mkdir(parents=True)
    for name in ("chapter", "pages/more"):
        (tmp_path / "chapters" / "part" / f"{name}.py").write_text("")
    (tmp_path / "_toc.yml").write_text(
        "parts:\n- chapters:\n  - file: chapters/part\n    sections:\n    - file: chapters/more\n  - file: reference/a\n"
    )
    assert pages.in_order(tmp_path) == ["part", "more"]


def test_a_claim_that_is_not_there_is_an_error():
    with pytest.raises(LookupError, match="no claim of chapter 'optimization' begins with 'pigs fly'"):
        collected.claim("optimization", "pigs fly")


@pytest.mark.parametrize(
    "printed, shown",
    [
        (
            "a beats b (difference -2.990 nats ± 0.089, 0.5 asked, 95 % paired t over 5 seeds)",
            "a beats b (-2.990 ± 0.089 nats, 5 seeds)",
        ),
        (
            "fewer wrong (difference -0.130 of the test ± 0.073, 95 % paired t over 5 seeds)",
            "fewer wrong (-0.130 ± 0.073 of the test, 5 seeds)",
        ),
        (
            "a beats b (difference -0.130 nats ± 0.073, 95 % paired t over 5 orders of the training data)",
            "a beats b (-0.130 ± 0.073 nats, 5 orders of the training data)",
        ),
        ("a fact (of nature)", "a fact (of nature)"),
    ],
)
def test_a_card_shows_the_difference_and_its_interval_alone(printed, shown):
    assert pages.FIGURES.sub(pages.SHORT, printed) == shown


def notebook(name):
    return nbformat.read(places.notebook_path(name), as_version=4)


@pytest.mark.parametrize("name", places.names())
def test_the_cost_of_every_notebook_was_measured_with_this_code(name):
    advice = f"run: python -m book.measure {name}"
    assert name in measure.record(), advice
    assert measure.record()[name]["code"] == measure.digest(name), advice


@pytest.mark.parametrize("name", places.names())
def test_explorers_are_light(name):
    shown = "".join(
        output.data["text/html"]
        for cell in notebook(name).cells
        for output in cell.get("outputs", [])
        if "lmtune-explorer" in output.get("data", {}).get("text/html", "")
    )
    heavy = len(gzip.compress(finish.finish(shown).encode()))
    assert heavy <= 250_000


def test_costs_name_the_notebooks_where_machines_or_versions_differ():
    cost = {"machine": "2 cores", "python": "3.11", "versions": {"torch": "2"}}
    assert pages.settings({"a": cost, "b": cost}) == ["2 cores, with torch 2, Python 3.11"]
    other = {**cost, "versions": {"torch": "3"}}
    assert pages.settings({"a": cost, "b": other}) == [
        "2 cores, with torch 2, Python 3.11 (a)",
        "2 cores, with torch 3, Python 3.11 (b)",
    ]


def works():
    return tomllib.loads(pages.WORKS.read_text("utf-8"))["work"]


def test_every_work_that_a_page_links_to_stands_in_the_bibliography():
    texts = [cell.source for name in places.names() for cell in notebook(name).cells if cell.cell_type == "markdown"]
    texts += [path.read_text("utf-8") for path in [*REFERENCE.glob("*.md"), places.ROOT / "index.md"]]
    linked = {address for text in texts for address in ADDRESS.findall(text) if not NO_WORK.match(address)}
    assert len(linked) > 30
    assert linked <= {address for work in works() for address in [work["link"], *work["also"]]}


def test_the_works_have_one_entry_each_and_a_kind_that_is_shown():
    assert len({work["key"] for work in works()}) == len({work["link"] for work in works()}) == len(works())
    assert {work["kind"] for work in works()} <= set(pages.Works.KINDS)


def test_the_glossary_is_sorted_and_says_each_term_once():
    terms = glossary.terms()
    assert len({term.lower() for term in terms}) == len(terms) >= 100
    first = re.findall(r"(?<=\n\n)([^\s`].*)\n", "\n\n" + glossary.PAGE.read_text("utf-8").split("```{glossary}\n")[1])
    assert first == sorted(first, key=str.casefold) and len(first) >= 100
    text = "```{glossary}\nb term\nsynonym\n  What it is.\n\nc\n  More.\n```\n"
    assert glossary.terms(text) == ["b term", "synonym", "c"]


def test_a_broken_link_is_found(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "a.html").write_text(
        '<a href="sub/b.html#there">x</a><a href="https://example.org/no">x</a><a href="#top">'
        '<a href="../out.html">x</a><a href="https://[bad">x</a><a href="sub">x</a>'
    )
    (tmp_path.parent / "out.html").write_text("outside of the book")
    (tmp_path / "sub" / "b.html").write_text(
        '<p id="there"></p><a href="../gone.html">x</a><a href="../a.html#no">x</a>'
    )
    assert sorted(links.broken(tmp_path)) == [
        "a.html links to #top, which is not there",
        "a.html links to ../out.html, which is not there",
        "a.html links to https://[bad, which is not there",
        "a.html links to sub, which is not there",
        "sub/b.html links to ../a.html#no, which is not there",
        "sub/b.html links to ../gone.html, which is not there",
    ]


def test_a_claim_is_marked_in_the_page():
    html = finish.finish(
        "<pre><span></span>loss 1\nclaim holds: it falls\n</pre><pre><span></span>claim holds: too\n</pre>"
    )
    assert finish.finish("claim holds: a</p>") == "claim holds: a</p>", "only a whole line of plain text is marked"
    assert html.count('<span class="lmtune-claim">claim holds: ') == 2 and "claim holds: it falls</span>\n" in html


def test_what_is_read_aloud_of_a_fold_and_of_an_arrow_says_what_it_opens():
    html = '<summary aria-label="Toggle hidden content">\n<p>Draws</p></summary>'
    assert finish.finish(html) == "<summary>\n<p>Draws</p></summary>"
    html = '<pre><span></span><span class="c1"># @title Draws</span>\n<span class="n">x</span>'
    assert finish.finish(html) == '<pre><span></span><span class="n">x</span>'
    html = '<summary><span class="toctree-toggle" role="presentation"></span></summary>'
    assert finish.finish(html).startswith('<summary aria-label="Pages of this part"><span')


def test_a_picture_is_the_same_as_text():
    svg = '<svg xmlns="http://www.w3.org/2000/svg"><text>50 % of a & b #1 – “x”\n</text></svg>'
    html = finish.finish(f'<img src="data:image/svg+xml;base64,{base64.b64encode(svg.encode()).decode()}" alt="a">')
    address = re.search(r'src="([^"]+)"', html)[1]
    assert unquote(address.partition(",")[2]) == svg and not set('<>"\n&#') & set(address)


def test_the_icons_in_use_are_found(tmp_path):
    (tmp_path / "_static" / "styles").mkdir(parents=True)
    (tmp_path / "_static" / "styles" / "t.css").write_text(
        '.fa-sun:before{content:"\\f185"}.fa-moon:before{content:"\\f186"}.x::after{content:"\\f107"}.fa-plus:before{content:"\\+"}'
    )
    (tmp_path / "a.html").write_text('<i class="fa-solid fa-sun"></i><i class="fa-plus"></i>')
    assert icons.used(tmp_path) == {0xF185, 0xF107, ord("+")}
