"""What a page in the new form is made of: cells that fold, blocks that open, a head, and the gate that holds it."""

import nbformat
import pytest

from book.cells import blocks, derive, fold, form, head, normalise, places, reading
from book.directives import collected
from lmtune.exercises.exercise import Exercise
from lmtune.grading.notebook_code import statements

HEAD = """\
```head
able = ["write it", "say `when`"]
needs = ["[First](first-fine-tune.ipynb)"]
short = ["Why", "How"]
```"""
MISTAKE = '```mistake source="A text, example.org, May 2024"\nSaving the `last`\nIt is bad.\n\nVery.\n```'


def code(source, *tags):
    return nbformat.v4.new_code_cell(source, metadata={"tags": list(tags)} if tags else {})


def text(source):
    return nbformat.v4.new_markdown_cell(source)


def filled(source):
    cell = text(source)
    blocks.fill(cell)
    return cell.source


# -- folding ------------------------------------------------------------------


def test_a_folded_cell_is_folded_wherever_it_is_read():
    cell = code("# Draws the losses\ndef two():\n    return 2", "slow", "fold")
    fold.fold(cell)
    assert cell.source == "# @title Draws the losses\ndef two():\n    return 2"
    assert cell.metadata == {
        "tags": ["slow", "hide-input"],
        "mystnb": {"code_prompt_show": "Draws the losses", "code_prompt_hide": "Draws the losses"},
        "cellView": "form",
        "jupyter": {"source_hidden": True},
    }
    body, remarks = statements([cell.source])
    assert [statement.text for statement in body] == ["def two():\n    return 2"] and not remarks
    kept = dict(cell.metadata)
    cell.metadata["execution"] = {"iopub.execute_input": "today"}
    (cell,) = normalise.normalise(nbformat.v4.new_notebook(cells=[cell])).cells
    assert cell.metadata == kept, "what folds survives that the notebook is made"


def test_a_cell_without_the_tag_is_left_alone():
    cell = code("# Draws\nx = 1", "slow")
    fold.fold(cell)
    assert cell.source == "# Draws\nx = 1" and cell.metadata == {"tags": ["slow"]}


@pytest.mark.parametrize(
    "source", ["x = 1", "#\nx = 1", "# Draws", "#Draws\nx = 1", "# %%time\nx = 1", f"# {'long ' * 20}\nx = 1", ""]
)
def test_a_folded_cell_must_say_what_is_in_it(source):
    with pytest.raises(ValueError, match="folded cell"):
        fold.fold(code(source, "fold"))


# -- blocks that open ---------------------------------------------------------


def test_a_question_to_predict_folds_its_answer():
    made = filled(
        "Before\n\n```predict\nDoes it `fall`,\nor *rise* & why?\n---\nIt falls: $x$.\n\n---\nReally.\n```\n\nAfter"
    )
    assert made == (
        'Before\n\n<details class="lmtune-predict">\n<summary><strong>Predict:</strong> Does it <code>fall</code>, or '
        "<em>rise</em> &amp; why?</summary>\n\nIt falls: $x$.\n\n---\nReally.\n\n</details>\n\nAfter"
    )


@pytest.mark.parametrize("body", ["Only a question?", "---\nAn answer.", "Question?\n---\n", "What is $x$?\n---\nOne."])
def test_a_question_without_an_answer_or_with_mathematics_is_refused(body):
    with pytest.raises(ValueError, match="needs a question|mathematics is not typeset"):
        filled(f"```predict\n{body}\n```")


def test_a_mistake_folds_and_names_its_source():
    made = filled(MISTAKE)
    assert made == (
        '<details class="lmtune-mistake" id="mistake-saving-the-last">\n<summary><strong>Seen in tutorials:</strong> '
        "Saving the <code>last</code></summary>\n\nIt is bad.\n\nVery.\n\n*Seen in: A text, example.org, May 2024.*\n\n"
        "</details>"
    )
    found = blocks.MISTAKE.search(f"{made}\n\n{made}")
    assert found["anchor"] == "mistake-saving-the-last" and found["first"] == "It is bad."
    assert found["source"].strip() == "*Seen in: A text, example.org, May 2024.*"


def test_a_block_may_hold_a_fence():
    made = filled('````mistake source="A, b, 2024"\nTitle\nText.\n\n```python\nx = 1\n```\n````')
    assert "```python\nx = 1\n```" in made and "````" not in made and made.endswith("</details>")


@pytest.mark.parametrize(
    "given",
    ["", 'source=""', 'source="A text, 2024"', 'source="A text, example.org"', 'source="A text, example.org, May"'],
)
def test_a_mistake_without_a_source_that_can_be_looked_up_is_refused(given):
    with pytest.raises(ValueError, match="names no source"):
        filled(f"```mistake {given}\nTitle\nText.\n```")


def test_mistakes_of_both_forms_are_collected(tmp_path, monkeypatch):
    def says(cell, *lines):
        cell.outputs = [nbformat.v4.new_output("stream", text="".join(f"claim holds: {line}\n" for line in lines))]
        return cell

    cells = [
        text("# Title\n\n## How\n\nSo."),
        says(code("1"), "first"),
        text(filled(MISTAKE)),
        says(code("2"), "second", "third"),
        text("And on it goes."),
        says(code("3"), "fourth"),
        text(f"## {collected.MISTAKES}\n\n### An old one\n\nTold."),
        says(code("4"), "fifth"),
    ]
    path = tmp_path / "page.ipynb"
    nbformat.write(nbformat.v4.new_notebook(cells=cells), path)
    monkeypatch.setattr(collected, "notebook_path", lambda page: path)
    found = collected.mistakes("test-page-of-mistakes")
    assert [(one.title, one.anchor, one.claims) for one in found] == [
        ("Saving the last", "mistake-saving-the-last", ["second", "third"]),
        ("An old one", "an-old-one", ["fifth"]),
    ]
    assert found[0].first == "It is bad.\n\n*Seen in: A text, example.org, May 2024.*"
    how = collected.sections("test-page-of-mistakes")[1]
    assert how.plain == "How" and how.claims == ["first", "fourth"]


# -- the head -----------------------------------------------------------------


def words(number):
    return " ".join(["word"] * number)


def page(*more):
    return [text(f"# Title\n\n{HEAD}"), text(f"## Why\n\n{words(228)}"), text(f"### Below\n\n{words(229)}"), *more]


def test_the_head_counts_minutes_of_words_lines_and_pictures():
    cells = page(
        text("## Else"),
        code("\n\n".join(f"x = {i}" for i in range(20))),
        code("show(figure())\nclaim('a', better=a, worse=b)\nclaim('b', True)"),
        code("# Draws\n" + "x = 1\n" * 500, "hide-input"),
        text("## How"),
    )
    head.fill(cells, [5, 12])
    made = cells[0].source
    assert made.startswith(f"# Title\n\n{head.MARK}\n<div>\n\n**You will be able to**\n\n- write it\n- say `when`\n")
    # 460 words, 20 + 3 lines of code of 3 seconds, and two pictures of 20 seconds.
    assert "**4 min** to read, **17 min** of exercises\n" in made
    assert "Short path, 2 min: *Why*, *How*" in made, "a section brings those below it along"
    assert "You need first: [First](first-fine-tune.ipynb)" in made


def test_what_is_folded_is_not_counted():
    open_ = f"<details>\n<summary>{words(10)}</summary>\n\n{words(1000)}\n\n</details>\n\n```python\nx = 1\n```\n"
    assert reading.words(open_) == 10
    assert reading.words("A [link to](https://example.org/some/where) `x` and <b>this</b>, don't - it") == 8
    assert reading.code_blocks([text(open_)]) == ["x = 1\n"]


def test_a_page_without_a_head_stays_as_it_is():
    cells = [text("# Title"), text("```python\nhead\n```")]
    head.fill(cells)
    assert cells[0].source == "# Title" and cells[1].source == "```python\nhead\n```"


@pytest.mark.parametrize(
    "old, new, says",
    [
        ('short = ["Why", "How"]', 'short = ["Why", "Where"]', "sections that it does not have: Where"),
        ('short = ["Why", "How"]', "short = []", "0 section"),
        ('"write it", ', "", "1 line"),
        ('needs = ["[First](first-fine-tune.ipynb)"]', "", "has the lists able, needs, short"),
        ("able = [", 'minutes = ["5"]\nable = [', "has the lists"),
        ("able = [", "able = ", "no TOML"),
    ],
)
def test_a_head_that_lacks_something_is_refused(old, new, says):
    cells = [text(f"# Title\n\n{HEAD}".replace(old, new)), text("## Why"), text("## How")]
    with pytest.raises(ValueError, match=says):
        head.fill(cells)


def test_a_head_stands_at_the_top_and_once():
    top = [text("# Title"), text("## Why\n\n## How"), text("More")]
    for cells in ([*top, text(HEAD)], [text(f"# Title\n\n{HEAD}"), text(HEAD)]):
        with pytest.raises(ValueError, match="one head, in the cell of its title"):
            head.fill(cells)


# -- the gate -----------------------------------------------------------------


SOURCE = f"""\
# %% [markdown]
# # Title
#
{"".join(f"# {line}" + chr(10) for line in HEAD.splitlines())}
# %% [markdown]
# ## Why
#
# ## How
#
# {{{{exercise:first-fine-tune/token-loss}}}}

# %% tags=["fold"]
# Loads what is needed
import math

# %%
print(math.pi)
"""


@pytest.fixture
def book(tmp_path):
    """A part with one page in the new form."""
    (tmp_path / "chapters" / "part").mkdir(parents=True)
    places.source_path("part", tmp_path).write_text(SOURCE)
    (tmp_path / "_config.yml").write_text((places.ROOT / "_config.yml").read_text())
    return tmp_path


def test_a_page_in_the_new_form_is_derived_whole(book):
    notebook = derive.derive("part", book)
    nbformat.validate(notebook)
    exercise: Exercise = derive.find("first-fine-tune/token-loss")
    assert f"**{exercise.minutes} min** of exercises" in notebook.cells[0].source
    assert [cell.metadata.get("cellView") for cell in notebook.cells] == [None, None, None, "form", None]
    assert form.shape(notebook) == [] and form.held(book) == ["part"]


def test_a_new_page_cannot_escape_the_form(book, monkeypatch):
    monkeypatch.setattr(form, "WITHOUT_HEAD", ())
    assert form.without_reason(book) == []
    places.source_path("part", book).write_text(SOURCE.replace("```head", "```"))
    assert form.without_reason(book) == ["part has no head; book/cells/head.py says what stands in one"]
    monkeypatch.setattr(form, "WITHOUT_HEAD", ("part", "gone"))
    assert form.without_reason(book) == ["gone is no page; take it off the list"]
    places.source_path("part", book).write_text(SOURCE)
    assert form.without_reason(book)[0] == "part has a head; take it off the list in book/cells/form.py"


@pytest.mark.parametrize(
    "cell, says",
    [
        (code("x = 1\n" * 13), "shows 13 lines, more than 12"),
        (code(f"x = '{'y' * 90}'"), "has a line of 96 characters, more than 88"),
        (text("```python\n" + "x = 1\n" * 13 + "```"), "shows 13 lines"),
        (code("x = 1\n\n" * 12), None),
        (code("# Loads\n" + "x = 1\n" * 50, "hide-input"), None),
        (text("<details>\n<summary>Solution</summary>\n\n```python\n" + "x = 1\n" * 50 + "```\n\n</details>"), None),
    ],
)
def test_code_in_sight_is_short_and_narrow(book, cell, says):
    notebook = derive.derive("part", book)
    notebook.cells.append(cell)
    found = form.shape(notebook)
    assert found == [] if says is None else len(found) == 1 and says in found[0]


def test_a_page_whose_head_was_lost_is_refused(book):
    notebook = derive.derive("part", book)
    del notebook.cells[0]
    assert form.shape(notebook) == ["the page has no head"]
