"""Each chapter has a quiz; each question one right answer, every choice a reason, and a section to read."""

import pytest

from book.cells import places, quiz
from book.directives.collected import sections

#: The pages that ask; each part's main page does.
CHAPTERS = [name for name in places.pages() if places.quiz_path(name).exists()]
GOOD = """
[[question]]
ask = "Which?"
section = "A"
choice = [{text = "one `x < y`", why = "because"}, {text = "two", right = true, why = "so"}, {text = "three", why = "no"}]
"""


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_every_chapter_asks_about_its_own_sections_at_least_five_questions_where_it_is_a_part(chapter):
    questions = quiz.read(chapter)
    assert len(questions) >= (5 if chapter in places.parts() else 2)
    known = {section.title for section in sections(chapter)}
    assert {question["section"] for question in questions} <= known
    assert all(choice["why"].strip() for question in questions for choice in question["choice"])
    asked = [question["ask"] for question in questions]
    assert len(set(asked)) == len(asked)


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_place_of_the_right_choice_gives_nothing_away(chapter):
    places = [
        [bool(choice.get("right")) for choice in question["choice"]].index(True) for question in quiz.read(chapter)
    ]
    assert max(places.count(place) for place in set(places)) <= len(places) / 2


@pytest.mark.parametrize("chapter", CHAPTERS)
def test_the_notebook_holds_the_whole_quiz(chapter):
    path = places.notebook_path(chapter)
    assert path.read_text("utf-8").count("lmtune-right") == len(quiz.read(chapter))


def test_the_main_page_of_every_part_has_a_quiz():
    assert set(places.parts()) <= set(CHAPTERS)


def written(tmp_path, text, name="quiz.toml"):
    folder = tmp_path / "chapters" / "some"
    (folder / "pages").mkdir(parents=True)
    (folder / "chapter.py").write_text("")
    (folder / "pages" / "one_more.py").write_text("")
    (folder / name).write_text(text, "utf-8")
    return tmp_path


def test_a_page_of_a_part_has_questions_of_its_own(tmp_path):
    root = written(tmp_path, GOOD, "pages/one_more.quiz.toml")
    assert "**1.** Which?" in quiz.markdown("one-more", root)
    with pytest.raises(LookupError, match="chapters/some/quiz.toml is missing"):
        quiz.read("some", root)


def test_a_choice_is_a_fold_that_says_why(tmp_path):
    shown = quiz.markdown("some", written(tmp_path, GOOD))
    assert "**1.** Which?" in shown
    assert "<summary>A. one <code>x &lt; y</code></summary>\n\n**No.** because\n\n</details>" in shown
    assert (
        '<details class="lmtune-choice lmtune-right">\n<summary>B. two</summary>\n\n**Right.** so (Section *A*.)'
        in shown
    )


@pytest.mark.parametrize(
    "old, new, says",
    [
        ("right = true, ", "", "0 right ones"),
        ('why = "because"', 'right = true, why = "because"', "2 right ones"),
        (', {text = "three", why = "no"}', "", "has 2 choices"),
        (', why = "so"', "", "each choice has a why"),
        ('"Which?"', '"Which?\\n\\nOr what?"', "the question is one paragraph"),
        ('"two"', '"$x$"', "mathematics is not typeset"),
    ],
)
def test_a_quiz_that_cannot_be_answered_is_refused(tmp_path, old, new, says):
    with pytest.raises(ValueError, match=says):
        quiz.read("some", written(tmp_path, GOOD.replace(old, new)))


def test_a_chapter_without_a_quiz_is_named(tmp_path):
    with pytest.raises(LookupError, match="chapters/some/quiz.toml is missing"):
        quiz.read("some", tmp_path)
