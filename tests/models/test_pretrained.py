"""The shipped models: frozen weights, complete folders, and what their cards promise."""

import csv
import hashlib
import json
import re
from pathlib import Path

import pytest
import torch

import lmtune

FOLDER = Path(lmtune.__file__).parent / "models" / "pretrained"
#: Training the models again changes every stored output of the book, so the weights are frozen.
SHA256 = {
    "pocket": "e006466133b3b91fb84bcdf0bf8f2a847e0c111a4bd04d3a5eca938472a9d8d2",
    "pocket-mini": "bf8bb53c65a22e0390ff151a6dfbe3d1d380a587e3758987a3a26676126b4c23",
}
SHAPES = {"pocket": (4, 256), "pocket-mini": (2, 128)}


@pytest.mark.parametrize("name", SHA256)
def test_the_weights_are_frozen(name):
    data = (FOLDER / name / "model.safetensors").read_bytes()
    assert hashlib.sha256(data).hexdigest() == SHA256[name]
    assert len(data) < 10_000_000


@pytest.mark.parametrize("name", SHA256)
def test_the_architecture_and_the_tokenizer(name):
    model, tokenizer = lmtune.load(name)
    config = model.config
    assert (config.n_layer, config.n_embd) == SHAPES[name]
    assert config.model_type == "gpt2" and config.n_positions == 256
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    assert model.lm_head.weight is model.transformer.wte.weight
    assert len(tokenizer) == config.vocab_size == 4096
    assert tokenizer.convert_ids_to_tokens([0, 1]) == ["<|endoftext|>", "<|pad|>"]
    assert (tokenizer.eos_token_id, tokenizer.pad_token_id, tokenizer.padding_side) == (0, 1, "right")
    text = "def f(x):\n    return naïve λ 日本 🙂"
    assert tokenizer.decode(tokenizer(text)["input_ids"]) == text


def test_both_models_share_one_tokenizer():
    one, other = ((FOLDER / name / "tokenizer.json").read_bytes() for name in SHA256)
    assert one == other


@pytest.mark.parametrize("name", SHA256)
def test_the_card_and_the_log_are_there(name):
    card = (FOLDER / name / "README.md").read_text("utf8")
    assert float(re.search(r"\*\*(\d\.\d+)\*\*", card)[1]) < 1.5  # bits per character
    for heading in ("## Measured", "## Data", "## Recipe", "## Limits"):
        assert heading in card
    with open(FOLDER / name / "log.csv", newline="") as f:
        rows = list(csv.DictReader(f))
    assert float(rows[0]["loss"]) > 6 > 3.2 > float(rows[-1]["loss"])
    assert (FOLDER / name / "loss.svg").read_text("utf8").startswith("<svg")
    assert json.loads((FOLDER / name / "config.json").read_text("utf8"))["architectures"] == ["GPT2LMHeadModel"]


def test_the_larger_model_is_the_better_one():
    text = "Parameters\n----------\nx : array_like\n    Input array.\n\nReturns\n-------\nout : ndarray\n"
    losses = {}
    for name in SHA256:
        model, tokenizer = lmtune.load(name)
        losses[name] = lmtune.evaluate(model, lmtune.windows([text], tokenizer)).loss
    assert losses["pocket"] < losses["pocket-mini"] < 3.0
