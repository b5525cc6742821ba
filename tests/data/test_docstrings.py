"""Extraction of docstrings: what is read, what is refused, and a cache that cannot fail."""

import gzip
import json
import os
import sys

import pytest

from lmtune.data import docstrings

MODULE = '''"""A module that says what it is for, in eight or more words."""
import does_not_exist_anywhere

def f(x):
    """Return the sum of all of the numbers in the list x.

    A second paragraph.
    """
    def inner():
        """Functions within functions are not part of any interface at all."""

class A:
    """A class whose docstring has more than eight words in it, too."""
    def method(self):
        """Return the sum of all of the numbers in the list x.

        A second paragraph.
        """
    def short(self):
        """Too short."""

try:
    def g():
        """A function under a try statement is found as well as the others."""
except ImportError:
    pass
'''


@pytest.fixture
def library(tmp_path, monkeypatch):
    """An importable package ``madeup`` whose import would fail, and an empty cache."""
    root = tmp_path / "site" / "madeup"
    (root / "tests").mkdir(parents=True)
    (root / "__init__.py").write_text(MODULE)
    (root / "broken.py").write_text("def f(:\n")
    (root / "tests" / "test_x.py").write_text('"""Tests are not documentation, so nothing of this may be read."""')
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    monkeypatch.setenv("LMTUNE_CACHE", str(tmp_path / "cache"))
    return root


def test_reads_without_importing_and_keeps_each_text_once(library):
    found = docstrings.extract("madeup")
    assert [d.name for d in found] == ["madeup", "madeup.A", "madeup.A.method", "madeup.g"]
    assert "madeup" not in sys.modules
    assert found[2].text == "Return the sum of all of the numbers in the list x.\n\nA second paragraph."


def test_the_result_is_the_same_from_the_cache(library, tmp_path, monkeypatch):
    first = docstrings.extract("madeup")
    assert len(list((tmp_path / "cache").iterdir())) == 1
    monkeypatch.setattr(docstrings, "_parse", lambda *_: pytest.fail("parsed again"))
    assert docstrings.extract("madeup") == first


def test_an_edited_source_is_read_again(library):
    docstrings.extract("madeup")
    (library / "more.py").write_text('"""A further module with a docstring of more than eight words."""')
    assert docstrings.extract("madeup")[-1].name == "madeup.more"


def truncated(data):
    return data[: len(data) // 2]


def edited(data):
    content = json.loads(gzip.decompress(data))
    content["documents"][0][2] += " edited"
    return gzip.compress(json.dumps(content).encode())


@pytest.mark.parametrize(
    "damage",
    [
        truncated,
        edited,
        lambda d: b"",
        lambda d: b"not gzip at all",
        lambda d: gzip.compress(b"[1, 2]"),
        lambda d: gzip.compress(b"{"),
    ],
)
def test_a_damaged_cache_is_rebuilt(library, tmp_path, damage):
    first = docstrings.extract("madeup")
    [path] = (tmp_path / "cache").iterdir()
    good = path.read_bytes()
    path.write_bytes(damage(good))
    assert docstrings.extract("madeup") == first
    assert path.read_bytes() == good
    assert len(list((tmp_path / "cache").iterdir())) == 1  # no temporary file is left


def test_a_cache_that_cannot_be_written_costs_nothing_but_time(library, tmp_path, monkeypatch):
    (tmp_path / "file").write_text("in the way")
    monkeypatch.setenv("LMTUNE_CACHE", str(tmp_path / "file"))
    assert len(docstrings.extract("madeup")) == 4


def test_an_unknown_package_is_answered_with_those_installed():
    with pytest.raises(ValueError, match="Did you mean 'networkx'") as error:
        docstrings.extract("netwrokx")
    assert "scipy" in str(error.value) and "python" in str(error.value)
    for wrong in ("", "os.path", "../etc", "a b", "__main__"):
        with pytest.raises(ValueError, match="No installed package"):
            docstrings.extract(wrong)
    with pytest.raises(ValueError, match="compiled or built in"):
        docstrings.extract("sys")
    with pytest.raises(TypeError, match="give one name"):
        docstrings.extract(None)


def test_clean_normalises_what_people_write():
    assert docstrings.clean("a\tb  \r\nc\x00\x07\n\n\n\n\nd\n") == "a   b\nc\n\nd"
    assert docstrings.clean("a\u00a0b\u3000c") == "a b c"
    assert docstrings.clean("naïve λ ∑ 日本 שלום") == "naïve λ ∑ 日本 שלום"


def test_the_lists_stand_for_what_an_install_brings():
    assert set(docstrings.HELD_OUT) <= set(docstrings.CLASS_PACKAGES)
    assert not set(docstrings.HELD_OUT) & set(docstrings.PRETRAIN_PACKAGES)
    for package in {*docstrings.PRETRAIN_PACKAGES, *docstrings.HELD_OUT, *docstrings.CLASS_PACKAGES}:
        assert docstrings._roots(package), package


def test_networkx_is_read_and_deterministic(tmp_path, monkeypatch):
    monkeypatch.setenv("LMTUNE_CACHE", str(tmp_path / "a"))
    first = docstrings.extract("networkx")
    bytes_a = next((tmp_path / "a").iterdir()).read_bytes()
    monkeypatch.setenv("LMTUNE_CACHE", str(tmp_path / "b"))
    assert docstrings.extract("networkx") == first
    assert next((tmp_path / "b").iterdir()).read_bytes() == bytes_a
    assert len(first) > 1000 and any("shortest path" in d.text for d in first)
    assert os.environ["LMTUNE_CACHE"].endswith("b")
