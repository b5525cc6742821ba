"""Every committed notebook: executed, equal to its source, and fit to be read anywhere."""

import subprocess
import sys
import types

import nbformat
import pytest

from book import address, notebooks
from book.cells import checks, form, places
from book.cells import derive as source
from book.directives import theme as extension

CHAPTERS = places.names()
URL = "https://github.com/someone/copy"


def load(name):
    return nbformat.read(places.notebook_path(name), as_version=4)


@pytest.mark.parametrize("name", CHAPTERS)
@pytest.mark.parametrize(
    "check",
    [checks.executed, checks.plain_markdown, checks.alternative_text, checks.clean_outputs],
    ids=lambda check: check.__name__,
)
def test_notebook(name, check):
    assert check(load(name)) == []


def test_every_page_has_a_head_or_is_named_as_one_that_follows():
    assert form.without_reason() == []


def test_a_page_with_a_head_keeps_to_the_form():
    assert {name: problems for name in form.held() if (problems := form.shape(load(name)))} == {}


@pytest.mark.parametrize("name", CHAPTERS)
def test_notebook_equals_its_source(name):
    assert checks.matches_source(name) == []


@pytest.mark.parametrize("name", CHAPTERS)
def test_colab_cell_is_the_stamped_one(name):
    assert checks.colab_cell(load(name), source.address()) == []


def test_every_notebook_has_a_source():
    assert places.notebook_paths() == [places.notebook_path(name) for name in CHAPTERS]


def run_colab_cell(url, monkeypatch, on_colab):
    """Execute the cell; return the commands that it starts."""
    started = []
    monkeypatch.setattr(subprocess, "run", lambda command, **options: started.append((command, options)))
    if on_colab:
        monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("google.colab"))
    else:
        monkeypatch.delitem(sys.modules, "google.colab", raising=False)
    exec(source.colab_code(url), {})
    return started


@pytest.mark.parametrize("url", [source.PLACEHOLDER, URL])
def test_colab_cell_does_nothing_elsewhere(url, monkeypatch, capsys):
    assert run_colab_cell(url, monkeypatch, on_colab=False) == []
    assert capsys.readouterr().out == ""


def test_colab_cell_installs_once_and_upgrades_nothing(monkeypatch):
    ((command, options),) = run_colab_cell(URL, monkeypatch, on_colab=True)
    assert command == [sys.executable, "-m", "pip", "install", "--quiet", f"lmtune @ git+{URL}@main"]
    assert options == {"check": True}


def test_colab_cell_without_address_says_what_to_set(monkeypatch, capsys):
    assert run_colab_cell(source.PLACEHOLDER, monkeypatch, on_colab=True) == []
    said = capsys.readouterr().out
    assert said.count("\n") == 1 and "python -m book.address" in said


def test_the_page_and_the_cell_know_the_same_placeholder():
    assert extension.PLACEHOLDER == source.PLACEHOLDER


@pytest.mark.parametrize("given", [URL, URL + "/", URL + ".git", f" {URL} "])
def test_an_address_is_cleaned(given):
    assert address.clean(given) == URL


@pytest.mark.parametrize(
    "given",
    [
        "",
        "copy",
        "http://github.com/a/b",
        "https://github.com/a",
        "https://gitlab.com/a/b",
        "https://github.com/a/b/c",
        "https://github.com/a/b'; import os",
        "https://github.com/a/..",
    ],
)
def test_a_wrong_address_is_refused(given):
    with pytest.raises(ValueError, match="must look like"):
        address.clean(given)


def test_setting_the_address_stamps_notebooks_and_keeps_outputs(tmp_path):
    chapters = tmp_path / "chapters"
    chapters.mkdir()
    (tmp_path / "_config.yml").write_text((places.ROOT / "_config.yml").read_text())
    code = nbformat.v4.new_code_cell("print(1)", execution_count=2)
    code.outputs = [nbformat.v4.new_output("stream", text="1\n")]
    colab = nbformat.v4.new_code_cell("old", metadata={"tags": ["colab"]}, execution_count=1)
    notebooks.write(nbformat.v4.new_notebook(cells=[colab, code]), chapters / "a.ipynb")
    address.set_address(URL, tmp_path)
    assert source.address(tmp_path) == URL
    stamped = nbformat.read(chapters / "a.ipynb", as_version=4)
    assert stamped.cells[0].source == source.colab_code(URL)
    assert stamped.cells[1].outputs == code.outputs
