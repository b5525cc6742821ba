"""What stands around the book is true: the checklist, the paths that are named, and the address of a copy."""

import re
from collections import defaultdict

import pytest
import tomllib
import yaml

from book import address
from book.cells.derive import PLACEHOLDER
from book.cells.places import ROOT

PROSE = ("README.md", "ARCHITECTURE.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md")
CHECKLIST = (ROOT / "reference" / "checklist.md").read_text("utf-8")
ROWS = range(1, 51)
URL = "https://github.com/someone/copy"


def held():
    """Of each row its tests as the page names them, with their files."""
    found = defaultdict(set)
    for path in (ROOT / "tests").rglob("test_*.py"):
        for row, name in re.findall(r"^def test_row_(\d\d)_(\w+)", path.read_text("utf-8"), re.MULTILINE):
            found[int(row)].add((path.relative_to(ROOT).as_posix(), name.replace("_", " ")))
    return found


def told(section):
    """The tests that a section of the page names, with their files."""
    line = " ".join(section.partition("- **Held by** ")[2].partition("\n\n")[0].split())
    parts = re.findall(r"`([\w/.]+)`: ([^`]+)", line)
    return {(path, name) for path, names in parts for name in re.findall(r"\*([^*]+)\*", names)}


@pytest.mark.parametrize("row", ROWS)
def test_the_checklist_names_the_tests_of_each_row(row):
    begins = f"(row-{row})=\n### Row {row}: "
    assert CHECKLIST.count(begins) == 1
    section = CHECKLIST.partition(begins)[2].partition("\n(row-")[0]
    assert all(f"- **{part}** " in section for part in ("Seen in", "In `lmtune`", "Held by"))
    assert told(section) == held()[row] != set()


def test_the_checklist_has_no_other_rows():
    assert [int(row) for row in re.findall(r"^### Row (\d+): ", CHECKLIST, re.MULTILINE)] == list(ROWS)
    assert set(held()) == set(ROWS)


def holds_something(path):
    """Whether a file is there, or a folder that holds one."""
    return path.is_file() or any(p.is_file() and p.suffix != ".pyc" for p in path.rglob("*"))


@pytest.mark.parametrize("name", PROSE)
def test_every_path_that_is_named_is_there(name):
    text = re.sub(r"^```.*?^```", "", (ROOT / name).read_text("utf-8"), flags=re.MULTILINE | re.DOTALL)
    top = {path.name for path in ROOT.iterdir()}
    named = {path for path in re.findall(r"`([\w.-]+/[\w./-]*)`", text) if path.partition("/")[0] in top}
    named |= set(re.findall(r"\]\((?!\w+:)([^)#]+)\)", text))
    named = {path for path in named if not re.search(r"\b(?:NAME|PAGE|STUDY|EXERCISE)\b", path)}
    missing = [path for path in named if not holds_something(ROOT / path)]
    assert not missing


def test_architecture_names_every_district_and_the_picture_too():
    table = (ROOT / "ARCHITECTURE.md").read_text("utf-8")
    picture = (ROOT / "static" / "architecture.svg").read_text("utf-8")
    districts = {path.parent.name for path in (ROOT / "lmtune").glob("*/__init__.py")}
    assert set(re.findall(r"^\| \d \| `(\w+)/` \|", table, re.MULTILINE)) == districts
    assert districts <= set(re.findall(r'<text class="name"[^>]*>(\w+)</text>', picture))


@pytest.mark.parametrize("name, key", [("pyproject.toml", "Repository"), ("CITATION.cff", "repository-code")])
def test_an_address_is_stamped_once_and_taken_out_again(tmp_path, name, key):
    (tmp_path / "chapters").mkdir()
    for file in ("_config.yml", "pyproject.toml", "CITATION.cff"):
        (tmp_path / file).write_text((ROOT / file).read_text("utf-8"), "utf-8")
    address.set_address(PLACEHOLDER, tmp_path)
    bare = (tmp_path / name).read_text("utf-8")
    assert key not in bare and "OWNER" not in bare
    for url in (URL, URL + "2"):
        address.set_address(url, tmp_path)
        text = (tmp_path / name).read_text("utf-8")
        given = tomllib.loads(text)["project"]["urls"] if name.endswith("toml") else yaml.safe_load(text)
        assert given[key] == url and text.count(f"{key}{' =' if name.endswith('toml') else ':'} ") == 1
    address.set_address(PLACEHOLDER, tmp_path)
    assert (tmp_path / name).read_text("utf-8") == bare


def test_the_version_is_one():
    version = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]["version"]
    assert yaml.safe_load((ROOT / "CITATION.cff").read_text("utf-8"))["version"] == version
    assert f'__version__ = "{version}"' in (ROOT / "lmtune" / "__init__.py").read_text("utf-8")
