"""The texts that the homework draws: notes of a workshop, and what a student brings."""

import pytest

from lmtune.chapters.homework import own_text, workshop

STUDENTS = ("ada", "bo", "example")


@pytest.mark.parametrize("student", STUDENTS)
def test_a_note_lies_on_the_desk_of_the_part_that_fails(student):
    names = workshop.part_names(student)
    assert len({name for desk in names for name in desk}) == 24
    drawn = workshop.notes(student, "test", 400)
    assert drawn == workshop.notes(student, "test", 400) != workshop.notes(student, "training 0", 400)
    right = 0
    for note in drawn:
        found = [desk for desk, its in enumerate(names) if any(name in note.text for name in its)]
        assert len(found) == 2, "one part that fails and one of another desk"
        right += note.desk in found
    assert 0.93 < right / len(drawn) < 1, "one note in twenty is misplaced"


def test_another_student_has_other_parts():
    assert workshop.part_names("ada") != workshop.part_names("bo")


@pytest.mark.parametrize("student", STUDENTS)
def test_the_complaint_alone_does_not_tell_the_desk(student):
    drawn = workshop.notes(student, "test", 600)
    for complaint in workshop._COMPLAINTS[0]:
        desks = [note.desk for note in drawn if complaint in note.text]
        assert 0.4 < desks.count(0) / len(desks) < 0.9


def test_a_text_that_is_too_short_is_refused_in_a_sentence():
    with pytest.raises(ValueError, match="has 1,000 characters and 50,000 are needed; add files"):
        own_text.documents(["x" * 500] * 2, "ada")
    with pytest.raises(ValueError, match="bring plain text"):
        own_text.documents([("prompt", "completion")], "ada")


def test_too_few_documents_are_refused(monkeypatch):
    monkeypatch.setattr(own_text, "DOCUMENT", 20_000)
    with pytest.raises(ValueError, match="makes 3 documents and 40 are needed"):
        own_text.documents(["word " * 4_000] * 3, "ada")


def test_a_long_text_is_cut_where_paragraphs_end_and_nothing_of_it_is_lost():
    paragraphs = [f"Chapter {i}\n" + "word " * (i % 150) + f"\nend of {i}." for i in range(130)]
    found = own_text._pieces("\n\n".join(paragraphs))
    assert len(found) > 30 and max(map(len, found)) <= own_text.DOCUMENT
    assert all(piece.startswith("Chapter ") for piece in found)
    assert "".join("".join(found).split()) == "".join("".join(paragraphs).split())


def test_what_has_no_paragraphs_is_cut_at_lines_or_wherever():
    lines, run = own_text._pieces("line of text\n" * 400), own_text._pieces("y" * 2_500)
    assert all(piece.endswith("line of text") for piece in lines) and len(" ".join(lines).split()) == 1_200
    assert [len(piece) for piece in run] == [1_000, 1_000, 500]
    assert own_text._pieces("short") == ["short"] and own_text._pieces(" \n\n ") == []


def test_of_much_text_each_student_gets_a_draw():
    texts = [f"document {i} " + "word " * 100 for i in range(300)]
    ada, bo = (own_text.documents(texts, student) for student in ("ada", "bo"))
    assert ada == own_text.documents(texts, "ada") != bo
    assert own_text.LEAST < sum(map(len, ada)) <= own_text.MOST and set(ada) <= {text.strip() for text in texts}


@pytest.mark.parametrize("student", [*STUDENTS, *map(str, range(20))])
def test_the_made_up_manual_is_long_enough_and_repeats_itself(student):
    pages = own_text.made_up(student)
    assert len(own_text.documents(pages, student)) >= own_text.FEWEST
    assert pages == own_text.made_up(student) != own_text.made_up(f"not {student}")
    lines = [set(page.splitlines()) for page in pages]
    assert sum(any(len(a & b) > len(a) / 2 for b in lines[:i]) for i, a in enumerate(lines)) > 10
