"""Text larger than memory: the same rows as in memory, made once, in pieces that survive a kill."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

import lmtune
from lmtune.data import rows_on_disk as disk
from lmtune.data import text_files
from lmtune.data.packing import pack
from lmtune.data.rows_on_disk import Recipe, packed_on_disk, rows_on_disk

ROOT = Path(__file__).parents[2]


@pytest.fixture
def recipe():
    return Recipe(lmtune.load("pocket-mini")[1], 32)


@pytest.fixture(autouse=True)
def small_pieces(tmp_path, monkeypatch):
    monkeypatch.setenv("LMTUNE_CACHE", str(tmp_path / "cache"))
    monkeypatch.setattr(text_files, "PIECE", 3000)
    monkeypatch.setattr(text_files.pieces, "__defaults__", (3000,))


def words(n):
    return "\n\n".join(f"paragraph {i} of a text " + "about graphs and nodes " * (i % 7) for i in range(n))


def made(source, recipe, share=0.1, **settings):
    said = []
    return rows_on_disk(source, recipe, share, say=said.append, progress=False, **settings), said


def key(row):
    return tuple(row["input_ids"]), tuple(row["labels"]), row["characters"]


def test_the_rows_are_those_that_are_made_in_memory(tmp_path, recipe):
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in words(200).split("\n\n")), "utf8")
    rows, said = made(path, recipe)
    train, held_out = text_files.hold_out(text_files.read(path), 0.1)
    assert sorted(map(key, rows.held_out)) == sorted(map(key, recipe.rows(held_out)))
    expected = lmtune.disjoint(recipe.rows(train), recipe.rows(held_out))
    assert [key(row) for row in rows.train] == [key(row) for row in expected]
    assert len(rows.train) + rows.repeated == len(recipe.rows(train)) and "tokenizing" in said[0]


def test_several_processes_make_the_same_rows(tmp_path, recipe, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text(words(200), "utf8")
    alone, _ = made(path, recipe)
    monkeypatch.setenv("LMTUNE_CACHE", str(tmp_path / "another"))
    monkeypatch.setattr(disk, "SHARED", 0)
    together, said = made(path, recipe)
    assert together.train[:] == alone.train[:] and " 1 process" not in said[0]


def test_a_second_start_makes_nothing_and_a_changed_file_everything(tmp_path, recipe, monkeypatch):
    path = tmp_path / "a.txt"
    path.write_text(words(200), "utf8")
    first, _ = made(path, recipe)
    again, said = made(path, recipe)
    assert said == [] and first.train._fingerprint == again.train._fingerprint
    assert first.train[:] == again.train[:]
    path.write_text(words(201), "utf8")
    other, said = made(path, recipe)
    assert said and other.train._fingerprint != first.train._fingerprint
    assert made(path, Recipe(recipe.tokenizer, 16))[0].train._fingerprint != other.train._fingerprint


def test_a_piece_that_was_cut_short_by_a_kill_is_made_again_and_the_others_are_kept(tmp_path, recipe):
    path = tmp_path / "a.txt"
    path.write_text(words(400), "utf8")
    whole, _ = made(path, recipe)
    pieces = sorted((tmp_path / "cache" / "rows").rglob("*.arrow"))
    before = {p: p.stat().st_mtime_ns for p in pieces}
    pieces[1].rename(pieces[1].with_suffix(".part"))  # as a kill leaves it
    again, said = made(path, recipe)
    assert "tokenizing 0 MB" in said[0] and again.train[:] == whole.train[:]
    assert [p for p in pieces if p.stat().st_mtime_ns != before[p]] == [pieces[1]]


def test_pairs_and_what_must_be_avoided(tmp_path, recipe):
    path = tmp_path / "p.jsonl"
    path.write_text("".join(json.dumps({"prompt": f"say {i}", "completion": f" {i}"}) + "\n" for i in range(300)))
    rows, _ = made(path, recipe, share=0)
    assert len(rows.train) == 300 and rows.held_out == []
    fewer, _ = made(path, recipe, share=0, avoid=[rows.train[7]])
    assert len(fewer.train) == 299 and fewer.repeated == 1


def test_packed_rows_hold_every_document_once(tmp_path, recipe, monkeypatch):
    monkeypatch.setattr(disk, "PACKED_TOGETHER", 50)
    path = tmp_path / "a.jsonl"
    path.write_text("".join(json.dumps({"text": t}) + "\n" for t in words(300).split("\n\n")), "utf8")
    rows, _ = made(path, recipe, share=0)
    packed = packed_on_disk(rows.train, 32, tmp_path / "packed")
    assert max(len(row["input_ids"]) for row in packed) <= 32 and len(packed) < len(rows.train)
    assert sum(len(row["documents"]) for row in packed) == len(rows.train)
    assert packed[0] == pack(list(rows.train.select(range(50))), 32)[0]


def test_two_kinds_and_what_is_no_text_are_refused_by_file(tmp_path, recipe):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "a.txt").write_text(words(50))
    (tmp_path / "in" / "b.jsonl").write_text('{"prompt": "a", "completion": "b"}\n')
    with pytest.raises(ValueError, match="b.jsonl holds prompts and completions and .*a.txt texts"):
        made(tmp_path / "in", recipe)
    (tmp_path / "bad.txt").write_bytes(words(300).encode() + b"\xff\xff")
    with pytest.raises(ValueError, match="bad.txt is not text in UTF-8"):
        made(tmp_path / "bad.txt", recipe)
    (tmp_path / "blank.txt").write_text("\n" * 9000)
    with pytest.raises(ValueError, match="holds no text"):
        made(tmp_path / "blank.txt", recipe)


def test_the_command_trains_on_rows_on_disk_and_goes_on_after_a_kill(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(words(3000), "utf8")
    little_memory = "import lmtune.cli.finetune as f, lmtune.cli.main as m, sys; f.IN_MEMORY = 1000; sys.exit(m.main())"
    start = [sys.executable, "-c", little_memory, "finetune"]
    asked = [
        "--data",
        path,
        "--model",
        "pocket-mini",
        "--context",
        32,
        "--steps",
        30,
        "--save-every",
        1,
        "--pack",
        "--evaluate-every",
        30,
        "--batch-size",
        2,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT), "OMP_NUM_THREADS": "1"}

    def run(*more):
        return subprocess.run([*start, *map(str, more)], env=environment, capture_output=True, text=True)

    whole = run(*asked, "--out", tmp_path / "whole")
    assert whole.returncode == 0 and "rows to train on" in whole.stdout, whole.stdout + whole.stderr
    cut = subprocess.Popen([*start, *map(str, asked), "--out", str(tmp_path / "cut")], env=environment)
    ends = time.monotonic() + 120
    while not (tmp_path / "cut" / "checkpoints" / "step-00000002").exists() and time.monotonic() < ends:
        time.sleep(0.01)
    cut.send_signal(signal.SIGKILL)
    cut.wait()
    assert not (tmp_path / "cut" / "config.json").exists()
    resumed = run("--resume", "--out", tmp_path / "cut")
    assert resumed.returncode == 0 and "tokenizing" not in resumed.stdout, resumed.stderr
    tables = [(tmp_path / name / "history.csv").read_text().splitlines() for name in ("whole", "cut")]
    assert [row.split(",")[1] for row in tables[0]] == [row.split(",")[1] for row in tables[1]]
