"""The card outlives a restart of the kernel, and nothing about its file can break a check."""

import json
import subprocess
import sys
from datetime import date

import nbformat
import pytest

from book.cells import execute
from lmtune.chapters import card, kept, registry
from lmtune.exercises.exercise import NOT_ATTEMPTED, NOT_YET, PASSED, Result

PART = "first-fine-tune"
NAMES = [f"{PART}/{exercise.id}" for exercise in registry.exercises(PART)]
TODAY = date.today().isoformat()


@pytest.fixture
def file(tmp_path, monkeypatch):
    """Where progress is kept, with a Python that has just started."""
    monkeypatch.setenv("LMTUNE_PROGRESS", str(tmp_path / "data"))
    restart(monkeypatch)
    return tmp_path / "data" / "progress.json"


def restart(monkeypatch):
    monkeypatch.setattr(registry, "LAST", {})
    monkeypatch.setattr(card, "OPENED", {})


def checked(monkeypatch, name, status):
    """A check that says `status`."""
    monkeypatch.setattr(registry, "assess", lambda exercise, answer: Result(status, f"said {status}"))
    registry.check(name, None)


def printed(capsys, *given, **more):
    capsys.readouterr()
    card.card(*given, **more)
    return capsys.readouterr().out.splitlines()


def test_the_card_says_what_comes_from_an_earlier_session(file, monkeypatch, capsys):
    checked(monkeypatch, NAMES[0], PASSED)
    checked(monkeypatch, NAMES[1], NOT_YET)
    assert printed(capsys, PART)[:2] == [f"{PART}: 1 of {len(NAMES)} passed.", f"  {NAMES[0].split('/')[1]}: passed."]
    restart(monkeypatch)
    lines = printed(capsys, PART)
    assert lines[:3] == [
        f"{PART}: 1 of {len(NAMES)} passed, 1 of them in an earlier session.",
        f"  {NAMES[0].split('/')[1]}: passed (in an earlier session, {TODAY}).",
        f"  {NAMES[1].split('/')[1]}: not yet (in an earlier session, {TODAY}).",
    ]
    checked(monkeypatch, NAMES[1], PASSED)
    assert printed(capsys, PART)[0] == f"{PART}: 2 of {len(NAMES)} passed, 1 of them in an earlier session."
    whole = printed(capsys)
    assert f"{PART}: 2 of {len(NAMES)} passed, 1 of them in an earlier session." in whole
    assert len(whole) == len(card._parts())


def test_an_empty_cell_takes_nothing_back_and_a_wrong_answer_does(file, monkeypatch, capsys):
    checked(monkeypatch, NAMES[0], PASSED)
    restart(monkeypatch)
    checked(monkeypatch, NAMES[0], NOT_ATTEMPTED)
    assert "1 of them in an earlier session" in printed(capsys, PART)[0]
    checked(monkeypatch, NAMES[0], NOT_YET)
    restart(monkeypatch)
    assert printed(capsys, PART)[0] == f"{PART}: 0 of {len(NAMES)} passed."


def test_the_file_holds_verdicts_and_days_alone(file, monkeypatch):
    checked(monkeypatch, NAMES[0], PASSED)
    assert json.loads(file.read_text("utf-8")) == {NAMES[0]: {"status": PASSED, "when": TODAY}}


def test_what_is_kept_can_be_forgotten(file, monkeypatch, capsys):
    for name in (NAMES[0], "regularization/l1-step"):
        checked(monkeypatch, name, PASSED)
    assert printed(capsys, PART, forget=True) == [f"{PART}: forgotten."]
    assert printed(capsys, PART)[0] == f"{PART}: 0 of {len(NAMES)} passed."
    assert list(json.loads(file.read_text("utf-8"))) == ["regularization/l1-step"]
    card.card(forget=True)
    assert json.loads(file.read_text("utf-8")) == {}
    with pytest.raises(ValueError, match="There is no part 'nothing'"):
        card.card("nothing", forget=True)


@pytest.mark.parametrize(
    "content", [b"", b"{", b"[1]", b"\xff\xfe", b'{"a": 1}', b"[" * 100_000, b'{"a": {"status": "x", "when": 1}}']
)
def test_a_broken_file_counts_as_empty_and_is_mended(file, monkeypatch, capsys, content):
    file.parent.mkdir()
    file.write_bytes(content)
    assert kept.read() == {} and printed(capsys, PART)[0] == f"{PART}: 0 of {len(NAMES)} passed."
    checked(monkeypatch, NAMES[0], PASSED)
    assert kept.read() == {NAMES[0]: {"status": PASSED, "when": TODAY}}


def test_a_folder_that_cannot_be_written_breaks_no_check(file, monkeypatch, capsys):
    file.parent.write_text("a file where the folder should be")
    checked(monkeypatch, NAMES[0], PASSED)
    assert capsys.readouterr().out == "said passed\n"
    assert printed(capsys, PART)[0] == f"{PART}: 1 of {len(NAMES)} passed."


def test_nothing_is_kept_outside_of_a_notebook(tmp_path):
    code = "from lmtune.chapters import kept; print(kept.place()); import IPython; print(kept.place())"
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={"PYTHONPATH": ":".join(sys.path), "HOME": str(tmp_path)},
        capture_output=True,
        text=True,
    )
    assert run.stdout.split() == ["None", "None"], run.stderr
    assert execute.offline_environment(1)["LMTUNE_PROGRESS"] == "off"


def test_the_card_survives_a_restart_of_a_real_kernel(tmp_path):
    """Twice a fresh kernel, with the user's data folder in place of `LMTUNE_PROGRESS`."""

    def run(code, switch=""):
        notebook = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(code)])
        environment = {
            **execute.offline_environment(1),
            "LMTUNE_PROGRESS": switch,
            "XDG_DATA_HOME": str(tmp_path / "data"),
            "PYTHONPATH": ":".join(sys.path),
        }
        execute.run(notebook, tmp_path, environment=environment, tell=lambda line: None)
        return "".join(output.get("text", "") for output in notebook.cells[0].outputs)

    check = f'from lmtune.chapters.registry import check\ncheck("{NAMES[0]}", lambda *given: 1)'
    see = f'from lmtune.chapters.card import card\ncard("{PART}")'
    run(check, switch="off")
    assert not (tmp_path / "data").exists()
    assert run(check).startswith("not yet")
    assert f"not yet (in an earlier session, {TODAY})" in run(see)
