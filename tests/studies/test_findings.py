"""A sentence of a study draws itself with both of its runs, or is refused."""

import copy
import xml.etree.ElementTree as ElementTree

import pytest

from lmtune.chapters import Study, recorded, studied
from lmtune.notebook import findings
from lmtune.notebook.claims import ClaimFailed


@pytest.fixture
def study(sound):
    return Study(sound)


@pytest.fixture
def shown(monkeypatch):
    published = []
    monkeypatch.setattr(findings.plots, "publish", lambda page, text: published.append((page, text)))
    return published


@pytest.mark.parametrize("sentence, sign", [("helps", "-0.19"), ("rate", "-0.25"), ("alike", "0")])
def test_a_sentence_that_holds_is_drawn_with_both_runs(study, shown, sentence, sign):
    findings.finding(study, sentence)
    [(page, text)] = shown
    found = study.sentence(sentence)
    assert text.startswith(f"claim holds: {found['text']} (difference ")
    assert "first seeds" in text and "fresh seeds" in text and "over 6 draws" in text and sign in text
    ElementTree.fromstring(page.partition("</style>")[0].partition("<style>")[0] + page.partition("</style>")[2])
    assert page.count("<circle") == 12 and page.count('role="img"') == 2
    assert ("Dashed" in page) == bool(next(s for s in study.design["sentences"] if s["id"] == sentence)["margin"])


def test_a_sentence_that_does_not_hold_is_refused(study, shown):
    with pytest.raises(ClaimFailed, match="The other one helps"):
        findings.finding(study, "harms")
    with pytest.raises(ValueError, match="'helps', 'harms', 'rate', 'alike'"):
        findings.finding(study, "never asked")
    assert not shown


def test_a_sentence_whose_run_diverged_is_refused_in_words(study):
    made = copy.deepcopy(study.record)
    made["results"]["first"]["10"]["plain"]["loss"] = [float("inf")] * 6
    made["results"]["sentences"]["helps"] |= {
        "holds": False,
        "first": {"difference": None, "half width": None, "holds": False},
    }
    with pytest.raises(ClaimFailed, match="a run of the first seeds diverged"):
        findings.finding(Study(made), "helps")


def test_the_reader_refuses_what_is_not_there(study):
    with pytest.raises(ValueError, match="a study that went through"):
        studied("regularization/ablation")
    with pytest.raises(ValueError, match="one of"):
        recorded("regularization/nothing")
    for wrong in (dict(arm="nobody"), dict(arm="plain", steps=11), dict(arm="plain", run="third"),
                  dict(arm="plain", of="colour"), dict(arm="plain", steps=20, run="replication")):  # fmt: skip
        with pytest.raises(ValueError, match="allowed: one of"):
            study.losses(**wrong)
