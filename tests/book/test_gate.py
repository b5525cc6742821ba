"""The gate catches what it must: each notebook broken on purpose is refused.

A small book in a temporary folder is made by the real commands, then broken in
one way at a time, and the real checks and the real nbval run must say so.
"""

import subprocess
from pathlib import Path

import nbformat
import pytest

from book import notebooks
from book.cells import checks, execute, normalise, places
from book.cells import derive as source
from book.test import command, environment

SOURCE = """\
# %% [markdown]
# # A tiny chapter

# %%
import sys
print("to stderr", file=sys.stderr)
print("two", 1 + 1)

# %%
from lmtune.notebook.claims import claim
claim("one is less than two", 1 < 2)

# %%
from tqdm.auto import tqdm
sum(tqdm(range(5), leave=False))
"""


def chapter_source(root):
    return root / "chapters" / "tiny" / "chapter.py"


def edit(root, change):
    """Apply `change` to the stored notebook."""
    path = places.notebook_path("tiny", root)
    notebook = nbformat.read(path, as_version=4)
    change(notebook)
    notebooks.write(notebook, path)


def load(root):
    return nbformat.read(places.notebook_path("tiny", root), as_version=4)


def nbval(root):
    """Run the notebook as `make test` does; return the exit status and the output."""
    run = subprocess.run(
        [*command([str(places.notebook_path("tiny", root))], workers=1), "-p", "no:cacheprovider"],
        cwd=places.ROOT,
        env=environment(2),
        capture_output=True,
        text=True,
    )
    return run.returncode, run.stdout


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """The text of a good notebook and its source, made by the real commands once."""
    root = tmp_path_factory.mktemp("book")
    fill(root, None)
    notebook = source.derive("tiny", root)
    execute.run(notebook, root / "chapters", environment=execute.offline_environment(1), tell=lambda line: None)
    notebooks.write(normalise.normalise(notebook), places.notebook_path("tiny", root))
    return places.notebook_path("tiny", root).read_text()


def fill(root, notebook):
    chapter_source(root).parent.mkdir(parents=True)
    chapter_source(root).write_text(SOURCE)
    (root / "_config.yml").write_text((places.ROOT / "_config.yml").read_text())
    if notebook:
        places.notebook_path("tiny", root).write_text(notebook)


@pytest.fixture
def book(good, tmp_path):
    """A fresh copy of the good book, to be broken."""
    fill(tmp_path, good)
    return tmp_path


def test_a_good_notebook_passes(book):
    assert checks.all_problems(load(book), source.address(book)) == []
    assert checks.matches_source("tiny", book) == []
    status, said = nbval(book)
    assert status == 0, said


def test_a_never_executed_cell_is_caught(book):
    def forget(notebook):
        notebook.cells[3].update(execution_count=None, outputs=[])

    edit(book, forget)
    assert "cell 3 was never executed" in checks.executed(load(book))
    status, said = nbval(book)
    assert status != 0 and "was never executed" in said


def test_cells_executed_out_of_order_are_caught(book):
    edit(book, lambda notebook: notebook.cells[3].update(execution_count=7))
    assert checks.executed(load(book)) == ["cell 3 was executed as number 7, not 3"]


def test_a_dropped_output_is_caught(book):
    edit(book, lambda notebook: notebook.cells[3].update(outputs=[]))
    assert checks.executed(load(book)) == ["cell 3 must show something and has no output"]


def test_an_edited_output_is_caught(book):
    def embellish(notebook):
        notebook.cells[2].outputs[0].text = "two 3\n"

    edit(book, embellish)
    status, said = nbval(book)
    assert status != 0 and "1 failed" in said


def test_a_false_claim_is_caught(book):
    def lie(notebook):
        notebook.cells[3].source = notebook.cells[3].source.replace("1 < 2", "2 < 1")

    edit(book, lie)
    status, said = nbval(book)
    assert status != 0 and "ClaimFailed" in said


@pytest.mark.parametrize(
    "old, new, part",
    [
        ("1 + 1", "2 + 2", "source of cell 2"),
        ("A tiny chapter", "A small chapter", "source of cell 0"),
        ("# %%\nfrom tqdm", '# %% tags=["slow"]\nfrom tqdm', "metadata of cell 4"),
        ("# %%\nimport sys", "# %%\nimport os\n\n# %%\nimport sys", "source of cell 2"),
    ],
)
def test_an_edited_source_is_caught(book, old, new, part):
    path = chapter_source(book)
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))
    (problem,) = checks.matches_source("tiny", book)
    assert part in problem


def test_a_cell_at_the_end_of_the_source_alone_is_caught(book):
    path = chapter_source(book)
    path.write_text(path.read_text() + "\n# %%\nprint('new')\n")
    (problem,) = checks.matches_source("tiny", book)
    assert "has 5 cells, its source gives 6" in problem


def output(notebook, kind, **fields):
    notebook.cells[2].outputs.append(nbformat.v4.new_output(kind, **fields))


BROKEN = {
    "stores a stream other than stdout": lambda n: output(n, "stream", name="stderr", text="a warning"),
    "stores a progress bar": lambda n: output(n, "stream", text="50%|#####     | 5/10 [00:01<00:01, 5.0it/s]"),
    "stores a traceback": lambda n: output(n, "error", ename="E", evalue="", traceback=[]),
    "stores a memory address": lambda n: output(n, "stream", text="<object at 0x7f0123456789>"),
    "stores a path of one machine": lambda n: output(n, "stream", text="saved in /home/ann/model"),
    "stores a live widget": lambda n: output(n, "display_data", data={"application/vnd.jupyter.widget-view+json": {}}),
    "state of widgets": lambda n: n.metadata.update(widgets={"state": {}}),
    "without alternative text": lambda n: output(n, "display_data", data={"text/html": '<img src="x" alt=" ">'}),
    "bare image": lambda n: output(n, "display_data", data={"image/png": "aGVsbG8="}),
    "directive fence": lambda n: n.cells[0].update(source="# T\n\n```{note}\nx\n```"),
    "holds a role": lambda n: n.cells[0].update(source="# T\n\nsee {ref}`x`"),
    "block to fill in": lambda n: n.cells[0].update(source="# T\n\n- ```predict\n  Q\n  ---\n  A\n  ```"),
    "Colab cell": lambda n: n.cells[1].update(source="!pip install lmtune"),
}


@pytest.mark.parametrize("problem", BROKEN)
def test_an_unfit_notebook_is_caught(book, problem):
    edit(book, BROKEN[problem])
    assert any(problem in found for found in checks.all_problems(load(book), source.address(book)))


def test_text_edits_keep_outputs_and_code_edits_do_not(book):
    path = chapter_source(book)
    path.write_text(path.read_text().replace("A tiny chapter", "A small chapter"))
    notebooks.rewrite("tiny", book)
    assert checks.matches_source("tiny", book) == [] and checks.executed(load(book)) == []
    path.write_text(path.read_text().replace("1 + 1", "2 + 2"))
    notebooks.rewrite("tiny", book)
    assert checks.executed(load(book)) != []


def test_a_failing_chapter_leaves_the_stored_notebook_alone(book, good, monkeypatch):
    chapter_source(book).write_text(SOURCE.replace("1 < 2", "2 < 1"))
    assert notebooks.make("tiny", book) is False
    assert places.notebook_path("tiny", book).read_text() == good
    chapter_source(book).write_text(SOURCE)
    monkeypatch.setattr(execute, "CPU_LIMIT", 0)
    assert notebooks.make("tiny", book) is False
    assert places.notebook_path("tiny", book).read_text() == good
    assert not list(Path(book, "chapters").glob(".*"))


def test_solutions_come_from_the_reference_answers(book):
    (book / "chapters" / "tiny" / "answers.py").write_text(
        "def reference_double(x):\n    return 2 * x\n\n\nREFERENCES = {'the-double': reference_double}\n"
    )
    chapter_source(book).write_text(SOURCE + "\n# %% [markdown]\n# {{solution:tiny/the-double}}\n")
    folded = source.derive("tiny", book).cells[-1].source
    assert folded.startswith(
        "<details>\n<summary>Solution</summary>\n\n```python\ndef double(x):\n    return 2 * x\n```"
    )
    with pytest.raises(LookupError, match="no exercise 'triple'"):
        source.solution("tiny", "triple", book)


def test_stub_and_aim_come_from_the_registry(book):
    find = source.find("first-fine-tune/token-loss")
    text = source.generated("{{exercise:first-fine-tune/token-loss}}\n\nmore")
    assert find.aim in text and f"{find.minutes} minutes" in text and text.endswith("\n\nmore")
    assert source.generated("# {{stub:first-fine-tune/token-loss}}\n") == find.stub.rstrip() + "\n"
    with pytest.raises(ValueError, match="there is no exercise"):
        source.generated("{{exercise:first-fine-tune/no-such}}")
