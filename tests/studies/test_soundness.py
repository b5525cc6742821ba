"""Unsound studies are planted, and each is refused in the words a reader would use."""

import copy

import pytest

from lmtune.chapters import Study
from studies.soundness import false_sentences, objections


def changed(record, *path, to):
    """The record with one place changed: by another set-up, or by hand."""
    found = copy.deepcopy(record)
    place = found
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = to
    return Study(found)


def test_nothing_speaks_against_a_sound_study(sound):
    assert objections(Study(sound)) == []
    assert false_sentences(Study(sound), ["helps", "rate", "alike"]) == []


FIRST = ("results", "first", "10")


@pytest.mark.parametrize(
    "path, to, words",
    [
        (("results", "protocol"), None, "was not made by version 1"),
        (("results", "fixed"), "2999-01-01T00:00:00+00:00", "after the first result"),
        (("results", "texts", "shared", "choosing and reporting"), 3, "choosing and reporting share 3"),
        (("design", "first", "choosing"), [100, 3], "choose and report is [3]"),
        (("design", "first", "reporting"), [0, 1, 2], "5 or more"),
        (("design", "replication", "reporting"), [5, 201, 202, 203, 204, 205], "did not use"),
        (("design", "arms", 0, "tuned"), {}, "as_is"),
        (("design", "budgets"), [10], "four times"),
        ((*FIRST, "plain", "best"), {}, "has a best of nothing"),
        ((*FIRST, "plain", "best"), {"lr": 4e-4}, "0.0008 was better"),
        ((*FIRST, "helps", "loss"), [1.0] * 5, "5 losses for 6 reporting seeds"),
        ((*FIRST, "helps", "loss"), [1.0] * 6, "verdicts are not those"),
        (("results", "sentences", "harms", "holds"), True, "verdicts are not those"),
        (("results", "first", "20"), {}, "20 updates: 'plain' has no result"),
        (("results", "replication"), {}, "replication, 10 updates: 'usual' has no result"),
    ],
)
def test_an_unsound_study_is_refused(sound, path, to, words):
    assert any(words in said for said in objections(changed(sound, *path, to=to))), objections(
        changed(sound, *path, to=to)
    )


@pytest.mark.parametrize("arm, setting, least", [("plain", "lr", 8e-4), ("helps", "strength", 0.081)])
def test_a_best_at_the_edge_of_its_list_is_refused(sound, arm, setting, least):
    """As if nothing above the best had been tried."""
    tried = [one for one in sound["results"]["first"]["10"][arm]["tried"] if one[setting] <= least]
    said = objections(changed(sound, *FIRST, arm, "tried", to=tried))
    assert [one for one in said if f"{arm!r} is best, or does not yet harm, at the edge" in one]


def test_an_arm_that_seems_useless_must_have_been_tried_until_it_harms(sound):
    """As if the strengths had ended where the arm does next to nothing: the fault of many tables."""
    tried = [one for one in sound["results"]["first"]["10"]["helps"]["tried"] if one["strength"] < 0.001]
    best = {"lr": 8e-4, "strength": 0.0}
    tried = [{**one, "losses": [2.0 + 0.01 * (one["lr"] != 8e-4)] * 2} for one in tried] + [
        {**best, "strength": 0.001, "losses": [2.001, 2.001]}
    ]
    planted = changed(changed(sound, *FIRST, "helps", "tried", to=tried).record, *FIRST, "helps", "best", to=best)
    assert any("strength of [0.0, 0.001]" in one for one in objections(planted))


def test_sentences_that_may_not_be_said(sound):
    said = false_sentences(Study(sound), ["harms", "never asked"])
    assert "does not hold in the first and the replication" in said[0] and "was not in the design" in said[1]
    only = changed(sound, "results", "sentences", "helps", "replication", "holds", to=False)
    assert false_sentences(only, ["helps"]) == ["'helps' does not hold in the replication: It helps."]
    turned = changed(sound, "results", "sentences", "helps", "holds", to=False)
    assert "turns at a larger budget" in false_sentences(turned, ["helps"])[0]
