"""The homework: published examples, notebooks, and what a student sees while working."""

import json
import random

import nbformat
import pytest

from book.cells import places
from lmtune.chapters import card, registry
from lmtune.chapters.homework import HOMEWORK
from lmtune.exercises import exercise as ex
from lmtune.exercises.cases import feedback
from lmtune.exercises.plain import difference, plain
from lmtune.grading import homework

tables = pytest.importorskip("instructor.table", reason="a public copy has no instructor's side")
INSTRUCTOR = places.ROOT / "instructor"
KNOWN = homework.load_all(INSTRUCTOR)
PARTS = [(name, part) for name, one in KNOWN.items() for part in one.parts]
each = pytest.mark.parametrize("name", KNOWN)
each_part = pytest.mark.parametrize("name, part", PARTS, ids=[part.id for _, part in PARTS])


@each
def test_what_is_published_is_what_the_instructor_wrote(name):
    stored = json.loads(homework.published_path(name).read_text(encoding="utf-8"))
    fresh = json.loads(json.dumps(homework.published(KNOWN[name])))
    # Not to the last digit: from Python 3.12 on, sum() adds floats more exactly.
    assert not difference(fresh, stored, 1e-9), "run: python -m instructor.publish"


def test_nothing_else_is_published():
    assert set(HOMEWORK) == set(KNOWN)
    assert len(KNOWN) == 5 and all(len(one.parts) >= 3 for one in KNOWN.values())


@each_part
def test_the_reference_agrees_with_the_truth_on_many_draws(name, part):
    for student in range(40):
        for case in homework.cases(part, "a seed", str(student)):
            value = plain(part.reference(*case["inputs"]))
            assert not difference(value, case["expected"], part.tolerance), case


@each_part
def test_every_draw_tells_the_mistakes_apart(name, part):
    assert len(part.mistakes) >= 3 and len(part.hints) >= 3
    for student in range(10):
        drawn = homework.cases(part, "a seed", str(student))
        for wrong, hint in part.mistakes:
            values = []
            for case in drawn:
                try:
                    values.append(plain(wrong(*json.loads(json.dumps(case["inputs"])))))
                except Exception:
                    values.append(None)
            assert feedback(part, drawn, values).hint == hint


@each_part
def test_inputs_are_drawn_from_the_student_and_the_seed(name, part):
    inputs = {
        json.dumps([c["inputs"] for c in homework.cases(part, *given)])
        for given in [("a", "ada"), ("a", "bo"), ("b", "ada"), homework.PUBLIC]
    }
    assert len(inputs) == 4
    assert homework.cases(part, "a", "ada") == homework.cases(part, "a", "ada")


def test_inputs_that_tell_nothing_are_refused():
    part = PARTS[0][1]
    same = homework.Part(**{**part.__dict__, "mistakes": [(part.reference, "this is right")]})
    with pytest.raises(ValueError, match="more varied"):
        homework.cases(same, "a", "ada")


def plain_words(text):
    return " ".join(text.replace("#", " ").split())


@each
def test_the_notebook_asks_what_is_graded(name):
    notebook = nbformat.read(places.notebook_path(f"homework/{name}"), as_version=4)
    prose = plain_words("\n".join(c.source for c in notebook.cells if c.cell_type == "markdown"))
    assert KNOWN[name].question in prose
    assert all(f"{points:g} points: {what}" in prose for points, what in KNOWN[name].rubric)
    assert "**Your answer:**" in prose
    code = "\n".join(c.source for c in notebook.cells if c.cell_type == "code")
    for part in KNOWN[name].parts:
        assert part.stub.strip() in code and f'check("homework/{part.id}", {part.function})' in code
        assert f'hint("homework/{part.id}")' in prose
    assert code.count("not attempted") == 0 and 'STUDENT_ID = "' in code


@each
def test_the_stubs_are_not_attempted_in_the_committed_notebook(name):
    notebook = nbformat.read(places.notebook_path(f"homework/{name}"), as_version=4)
    said = "".join(o.text for c in notebook.cells if c.cell_type == "code" for o in c.outputs if "text" in o)
    assert said.count("not attempted yet") == 2 * len(KNOWN[name].parts), "each check says so, and the card again"
    assert f"homework/{name}: 0 of {len(KNOWN[name].parts)} passed." in said


def test_the_table_lists_every_part_and_exercise():
    whole = homework.table(INSTRUCTOR) + tables.practice()
    for name, part in PARTS:
        assert f"{name}: {part.function}" in whole
        assert all(hint in whole for _, hint in part.mistakes)
    for exercise in registry.exercises("first-fine-tune"):
        assert f"first-fine-tune/{exercise.id}" in whole


@pytest.fixture
def fresh(monkeypatch):
    monkeypatch.setattr(registry, "LAST", {})
    monkeypatch.setattr(card, "OPENED", {})


def test_hints_open_one_at_a_time(fresh, capsys):
    part = KNOWN["fine-tune"].parts[0]
    for i, hint in enumerate(part.hints, 1):
        card.hint(f"homework/{part.id}")
        said = " ".join(capsys.readouterr().out.split())
        assert said == f"hint {i} of {len(part.hints)}: {hint}"
    card.hint(f"homework/{part.id}")
    assert capsys.readouterr().out.count(" of 3: ") == 3
    card.hint("first-fine-tune/token-loss")
    assert "no hints to open" in capsys.readouterr().out
    with pytest.raises(ValueError, match="did you mean"):
        card.hint("homework/hold-oot")


def test_the_card_says_how_far_one_has_come(fresh, capsys):
    part = KNOWN["schedule"].parts[0]
    registry.check(f"homework/{part.id}", part.reference)
    registry.check("homework/random-settings", lambda *given: 1)
    card.hint("homework/random-settings")
    capsys.readouterr()
    card.card("homework/schedule")
    others = [p.id for p in KNOWN["schedule"].parts[2:]]
    assert capsys.readouterr().out.splitlines() == [
        f"homework/schedule: 1 of {len(others) + 2} passed.",
        "  next-rates: passed.",
        "  random-settings: not yet, 1 hint opened.",
        *(f"  {name}: not checked yet." for name in others),
    ]
    assert card.passed("homework/next-rates")
    assert not card.passed("homework/next-rates", "homework/random-settings")
    card.card("regularization")
    assert f"regularization: 0 of {len(registry.exercises('regularization'))} passed." in capsys.readouterr().out
    with pytest.raises(ValueError, match="homework/schedule"):
        card.card("schedule")


def test_a_check_survives_a_value_that_is_no_plain_data():
    result = registry.assess("homework/random-settings", lambda *given: {1, 2})
    assert result.status == ex.NOT_YET and "set" in result.message
    import torch

    grown = torch.ones(1, requires_grad=True)
    assert registry.assess("homework/random-settings", lambda *given: grown * random.random()).status == ex.NOT_YET
