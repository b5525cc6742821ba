"""The records of studies keep their form when they are made again."""
import json

import pytest

from studies import record

NAMES = ("hyperparameter_tuning_rates", "optimization_norms", "regularization_ablation", "transfer_labels")


@pytest.mark.parametrize("name", NAMES)
def test_a_record_written_again_is_the_same_text(name, tmp_path, monkeypatch):
    text = (record.FOLDER / f"{name}.json").read_text("utf-8")
    known = json.loads(text)
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    chapter = __import__(f"studies.{name.rpartition('_')[0]}_record", fromlist=["write"])
    chapter.write(name.rpartition("_")[2], known["design"], known["results"], 0.0)
    again = (tmp_path / f"{name}.json").read_text("utf-8")
    assert again.partition('"design"')[2] == text.partition('"design"')[2]
    assert list(json.loads(again)) == list(known) and json.loads(again)["versions"].keys() == known["versions"].keys()


def test_an_infinite_loss_is_recorded_as_diverged(tmp_path, monkeypatch):
    monkeypatch.setattr(record, "FOLDER", tmp_path)
    record.write("some", {}, {"loss": float("inf")}, 1.0)
    assert json.loads((tmp_path / "some.json").read_text("utf-8"))["results"] == {"loss": "diverged"}
