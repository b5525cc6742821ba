"""The records of studies keep their form when they are made again."""

import json
from importlib import import_module

import pytest

from studies import record

NAMES = ("hyperparameter_tuning/rates", "optimization/norms", "regularization/ablation", "transfer_learning/labels")


@pytest.mark.parametrize("name", NAMES)
def test_a_record_written_again_is_the_same_text(name, tmp_path, monkeypatch):
    chapter, study = name.split("/")
    place = f"{chapter}/recorded/{study}.json"
    text = (record.FOLDER / place).read_text("utf-8")
    known = json.loads(text)
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    import_module(f"chapters.{chapter}.studies.record").write(study, known["design"], known["results"], 0.0)
    again = (tmp_path / place).read_text("utf-8")
    assert again.partition('"design"')[2] == text.partition('"design"')[2]
    assert list(json.loads(again)) == list(known) and json.loads(again)["versions"].keys() == known["versions"].keys()


def test_an_infinite_loss_is_recorded_as_diverged(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    record.write("some/thing", {}, {"loss": float("inf")}, 1.0)
    assert json.loads((tmp_path / "some/recorded/thing.json").read_text("utf-8"))["results"] == {"loss": "diverged"}
