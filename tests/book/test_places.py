"""A part has several pages, each with a notebook of its own, and every command knows them."""

import pytest

from book import notebooks
from book.cells import checks, places
from book.cells import derive as source


@pytest.fixture
def book(tmp_path):
    """Two parts, one of them with a further page, and a homework."""
    for path in ("one_part/chapter.py", "one_part/pages/much_more.py", "two/chapter.py", "homework/task.py"):
        file = tmp_path / "chapters" / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"# %% [markdown]\n# # {path}\n\n# %%\nprint(1)\n")
    (tmp_path / "_config.yml").write_text((places.ROOT / "_config.yml").read_text())
    return tmp_path


def test_the_pages_of_a_part_have_names_and_paths(book):
    assert places.names(book) == ["much-more", "one-part", "two", "homework/task"]
    assert places.parts(book) == ["one-part", "two"]
    assert places.pages_of("one-part", book) == ["one-part", "much-more"]
    assert [places.part_of(name, book) for name in ("much-more", "one-part")] == ["one-part", "one-part"]
    room = book / "chapters" / "one_part"
    assert places.source_path("much-more", book) == room / "pages" / "much_more.py"
    assert places.quiz_path("much-more", book) == room / "pages" / "much_more.quiz.toml"
    assert places.quiz_path("one-part", book) == room / "quiz.toml"
    assert places.notebook_path("much-more", book) == book / "chapters" / "much-more.ipynb"
    with pytest.raises(LookupError, match="no page 'three'; there are: one-part, much-more, two"):
        places.part_of("three", book)


def test_a_page_becomes_a_notebook_that_is_held_against_its_source(book):
    for name in places.names(book):
        notebooks.write(source.derive(name, book), places.notebook_path(name, book))
    assert places.notebook_paths(book) == [places.notebook_path(name, book) for name in places.names(book)]
    assert source.derive("much-more", book).cells[0].source == "# one_part/pages/much_more.py"
    path = places.source_path("much-more", book)
    path.write_text(path.read_text().replace("print(1)", "print(2)"))
    assert checks.matches_source("one-part", book) == []
    assert "much-more differs from its source" in checks.matches_source("much-more", book)[0]


def test_notebooks_stand_in_the_order_of_their_names(book):
    """A hyphen stands before the point of the suffix, and so would "two-b.ipynb" before "two.ipynb"."""
    (book / "chapters" / "two" / "pages").mkdir()
    (book / "chapters" / "two" / "pages" / "two_b.py").write_text("")
    for name in places.names(book):
        places.notebook_path(name, book).write_text("")
    assert places.notebook_paths(book) == [places.notebook_path(name, book) for name in places.names(book)]


@pytest.mark.parametrize("clash", ["two/pages/much_more.py", "one_part/pages/two.py", "one_part/pages/much-more.py"])
def test_two_pages_of_one_name_are_refused(book, clash):
    file = book / "chapters" / clash
    file.parent.mkdir(exist_ok=True)
    file.write_text("")
    with pytest.raises(ValueError, match="both would be chapters/(?:two|much-more).ipynb"):
        places.names(book)
