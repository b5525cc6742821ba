"""The reference pages hold every public name, and say what its docstring says."""

import re
import shutil
import sys
from html import unescape
from io import StringIO
from types import ModuleType

import pytest
import yaml
from sphinx.application import Sphinx
from sphinx.pycode import ModuleAnalyzer
from sphinx.util.docutils import docutils_namespace, patch_docutils

import lmtune
from book.build import ROOT
from book.directives import reference

PAGES = ("names", "api")
#: Modules without a public name whose ideas a reader looks for all the same.
ALSO = {"optim.schedules", "training.early_stopping"}
#: What a line of the names page holds on a phone without becoming a paragraph.
LONGEST = 110


def placed(page):
    """The modules that the directives of a page name, in their order."""
    text = (ROOT / "reference" / f"{page}.md").read_text(encoding="utf-8")
    return " ".join(re.findall(rf"^```\{{{page}\}} (.+)$", text, re.MULTILINE)).split()


def plain(sentence):
    """A sentence as it is read: without the marks of literals and roles."""
    return re.sub(r"(?::[\w:]+:)?`+~?([^`]+)`+", r"\1", sentence)


@pytest.mark.parametrize("page", PAGES)
def test_every_home_of_a_public_name_is_placed_once(page):
    found = placed(page)
    assert sorted(set(found)) == sorted(found), "a module is placed twice"
    missing = set(reference.homes()) - set(found)
    assert not missing, f"reference/{page}.md: give a {{{page}}} directive to {', '.join(sorted(missing))}"


def test_modules_without_public_names_are_on_the_api_page_alone():
    assert ALSO <= set(placed("api"))
    assert set(placed("names")) == set(reference.homes())


@pytest.mark.parametrize("name", lmtune.__all__)
def test_every_public_name_says_in_a_short_sentence_what_it_is(name):
    value = getattr(lmtune, name)
    # A dataclass without a docstring gets its signature for one.
    assert value.__doc__ and not value.__doc__.startswith(f"{name}("), f"{name} has no docstring"
    says = plain(reference.first_sentence(value.__doc__))
    assert re.search(r"\w.*[.?!]$", says), f"{name} begins with no sentence: {says!r}"
    assert len(says) <= LONGEST, f"{name} begins with {len(says)} characters: {says!r}"


@pytest.mark.parametrize(
    "docstring, sentence",
    [
        ("One thing.  Another.", "One thing."),
        ("Over two\n    lines. More.", "Over two lines."),
        ("A method (Szegedy et al. 2016).\n\nMore.", "A method (Szegedy et al. 2016)."),
        ("Which one?  This.", "Which one?"),
        ("Uses lmtune.fit, e.g. once. More.", "Uses lmtune.fit, e.g. once."),
        ("No stop\n\nMore.", "No stop"),
        ("", ""),
        (None, ""),
    ],
)
def test_first_sentence(docstring, sentence):
    assert reference.first_sentence(docstring) == sentence


MADE_UP = '''\
"""A module."""
from os.path import join
from typing import NamedTuple

import lmtune.training.losses

#: A number.
NUMBER = 1
UNSAID = 2
_hidden = 3
Rows = list[int]


class Pair(NamedTuple):
    """Two."""

    left: int
    right: int  #: the other


class Wrong(ValueError):
    """Not so."""


def later():
    """One."""


def first():
    """Two."""


def _private():
    """Three."""
'''


def test_members_are_what_a_module_defines_public_names_first(tmp_path, monkeypatch):
    (tmp_path / "made_up.py").write_text(MADE_UP)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "made_up", raising=False)
    module = __import__("made_up")
    assert isinstance(module, ModuleType)
    assert reference.members(module) == {
        "NUMBER": "data",
        "Rows": "type",
        "Pair": "class",
        "Wrong": "exception",
        "later": "function",
        "first": "function",
    }
    assert next(iter(reference.members(module, ["first"]))) == "first"


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """The two pages built by Sphinx with the book's own settings, and what it warned of."""
    root = tmp_path_factory.mktemp("pages")
    (root / "reference").mkdir()
    for page in PAGES:
        shutil.copy(ROOT / "reference" / f"{page}.md", root / "reference")
    (root / "index.md").write_text("# Book\n\n```{toctree}\nreference/names\nreference/api\n```\n")
    settings = yaml.safe_load((ROOT / "_config.yml").read_text(encoding="utf-8"))["sphinx"]["config"]
    ours = {
        key: value
        for key, value in settings.items()
        if key.startswith(("autodoc_", "nitpick_", "maximum_", "suppress_"))
    }
    ours["extensions"] = ["myst_parser", "sphinx.ext.autodoc", "book.directives.reference"]
    warnings = StringIO()
    with patch_docutils(root), docutils_namespace():
        app = Sphinx(
            root,
            None,
            root / "html",
            root / "trees",
            "html",
            freshenv=True,
            status=None,
            confoverrides={**ours, "nitpicky": True},
            warning=warnings,
        )
        app.build()
    pages = {page: (root / "html" / "reference" / f"{page}.html").read_text() for page in PAGES}
    return app.env.get_domain("py").objects, pages, warnings.getvalue()


def test_the_pages_build_without_a_warning(built):
    assert built[2] == ""


def test_every_public_name_has_an_entry_and_a_line_that_leads_to_it(built):
    objects, pages, _ = built
    for name, home in lmtune._HOME.items():
        found = objects.get(f"lmtune.{name}")
        assert found and found.docname == "reference/api", f"{name} is not on the API page"
        assert found.node_id == f"lmtune.{home}.{name}"
        assert f'id="{found.node_id}"' in pages["api"]
        lines = re.findall(rf'<dt>.*?href="api.html#{re.escape(found.node_id)}".*?</dt>', pages["names"])
        assert len(lines) == 1, f"{name} has {len(lines)} lines on the names page"
    assert len(re.findall("<dt>", pages["names"])) == len(lmtune.__all__)


def test_each_line_is_the_first_sentence_of_the_docstring(built):
    def letters(text):
        return re.sub(r"[\W_]+", "", text)

    shown = [
        letters(re.sub(r"<[^>]+>", "", unescape(line)))
        for line in re.findall(r"<dt>.*?</dd>", built[1]["names"], re.DOTALL)
    ]
    for name in lmtune.__all__:
        says = reference.first_sentence(getattr(lmtune, name).__doc__)
        if ":`" not in says:  # a reference reads differently once it is made
            assert letters(f"lmtune.{name} {says}") in shown


def test_entries_show_the_public_name_fields_and_methods(built):
    objects, pages, _ = built
    shown = re.sub(r"<[^>]+>", "", pages["api"])
    assert "lmtune.fit(" in shown and "lmtune.training.loop.fit(" not in shown
    home = lmtune.Config.__module__
    said = ModuleAnalyzer.for_module(home).attr_docs["Config", "accumulate"][0]  # a string under a field
    assert said in shown and f"{home}.Config.accumulate" in objects
    assert "weight of the past in the smoothed curve" in shown  # a comment behind a field
    assert "Alias for field number" not in shown
    assert {
        "lmtune.training.history.History.table",
        "lmtune.diagnostics.range_test.RangeTest.valley",
        "lmtune.History.table",
    } <= set(objects)
