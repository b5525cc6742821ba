"""A page may cite what went through the protocol, and sentences that hold in both runs."""

import copy

import pytest

from book.cells import form
from book.cells.places import source_path
from lmtune.chapters import Study
from studies.citations import objections_to


@pytest.fixture
def read(sound):
    edge = copy.deepcopy(sound)
    plain = edge["results"]["first"]["10"]["plain"]
    plain["tried"] = [one for one in plain["tried"] if one["lr"] <= 8e-4]
    known = {"some/study": Study(sound), "some/edge": Study(edge)}

    def reader(name):
        if name not in known:
            raise ValueError("a study that went through studies/protocol.py")
        return known[name]

    return reader


@pytest.mark.parametrize(
    "code, words",
    [
        ('study = studied("some/study")\nfinding(study, "helps")', ""),
        ('finding(chapters.studied("some/study"), "rate")', ""),
        ('study = studied("some/study")\nfinding(study, "harms")', "does not hold"),
        ('study = studied("some/study")\nfinding(study, "more")', "was not in the design"),
        ('studied("some/edge")', "at the edge"),
        ('old = recorded("regularization/ablation")', "went through"),
        ('finding(other, "helps")', "line 1: give finding a study by name"),
        ('study = studied("some/study")\nfor one in ids:\n    finding(study, one)', "line 3: give finding"),
        ("studied(name)", "give studied its name as text"),
        ("print(1)", ""),
    ],
)
def test_what_speaks_against_a_page(read, code, words):
    said = objections_to(code, read)
    assert (not said) if not words else any(words in one for one in said), said


def test_no_page_cites_what_is_unsound():
    """Pages that have no head yet cite older studies; they follow, and the list of them only gets shorter."""
    for page in form.held():
        assert objections_to(source_path(page).read_text("utf-8")) == [], page
