"""The set-up says in one line why it cannot go on."""

import shutil
from collections import namedtuple

import pytest

from book import setup_env


def test_an_old_python_is_refused_in_one_line(monkeypatch, capsys):
    monkeypatch.setattr(setup_env.sys, "version_info", (3, 8, 18))
    with pytest.raises(SystemExit):
        setup_env.check_python()
    said = capsys.readouterr().err.strip()
    assert "\n" not in said and "3.8.18" in said and "make PYTHON=" in said


def test_a_full_disk_is_told_before_the_download(monkeypatch, capsys):
    usage = namedtuple("usage", "total used free")
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage(10**10, 10**10 - 10**8, 10**8))
    with pytest.raises(SystemExit):
        setup_env.check_space()
    assert "0.1 GB are free" in capsys.readouterr().err


@pytest.mark.parametrize(
    "lines, words",
    [
        (
            ["ERROR: Could not install packages due to an OSError: [Errno 28] No space left on device"],
            "the disk is full",
        ),
        (
            ["WARNING: Retrying after NewConnectionError: Connection refused", "ERROR: No matching distribution"],
            "registry cannot be reached",
        ),
        (["ERROR: something else"], "something else"),
    ],
)
def test_what_pip_said_becomes_one_line(lines, words):
    assert words in setup_env.explain(lines) and "\n" not in setup_env.explain(lines)


def test_the_stamp_follows_the_pins(tmp_path, monkeypatch):
    for name in ("requirements.txt", "requirements-encoder.txt", "pyproject.toml"):
        (tmp_path / name).write_text("torch==2.13.0\n")
    monkeypatch.setattr(setup_env, "ROOT", str(tmp_path))
    before = setup_env.wanted_stamp()
    assert setup_env.wanted_stamp() == before
    (tmp_path / "requirements.txt").write_text("torch==2.13.1\n")
    assert setup_env.wanted_stamp() != before
    assert setup_env.first_requirement() == "torch==2.13.1"
