"""The estimate on paper is what autograd really keeps, and the explorer says the estimate."""

import json
import re
from html import unescape

import pytest
import torch

import lmtune
from lmtune.diagnostics.memory import SHAPES, activation_bytes, estimate, saved_bytes, shape_of
from lmtune.notebook import memory_explorer
from tests.tiny import tiny_gpt2


def batch_of(rows, length, vocabulary):
    ids = torch.arange(rows * length).reshape(rows, length) % vocabulary
    return {"input_ids": ids, "attention_mask": torch.ones_like(ids), "labels": ids.clone()}


@pytest.mark.parametrize("name", ["pocket-mini", "pocket"])
def test_parameters_and_shape(name):
    model, _ = lmtune.load(name, device="cpu")
    assert shape_of(model) == SHAPES[name]
    assert SHAPES[name].parameters == sum(p.numel() for p in model.parameters())


@pytest.mark.parametrize(
    "name, parameters",
    [("gpt2", 124_439_808), ("gpt2-medium", 354_823_168), ("gpt2-large", 774_030_080), ("gpt2-xl", 1_557_611_200)],
)
def test_published_sizes(name, parameters):
    assert SHAPES[name].parameters == parameters


@pytest.mark.parametrize("name, rows, length", [("pocket-mini", 4, 64), ("pocket-mini", 2, 128), ("pocket", 2, 64)])
@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_what_is_kept_is_within_two_percent_of_the_estimate(name, rows, length, precision):
    model = lmtune.load(name, device="cpu")[0].train()
    kept = saved_bytes(model, batch_of(rows, length, 4096), precision)
    paper = rows * length * activation_bytes(shape_of(model), precision)
    if precision == "bf16":  # autocast's copies of the weights, which estimate counts with the weights
        paper += 2 * sum(p.numel() for n, p in model.named_parameters() if p.dim() == 2 and "wpe" not in n)
    assert kept == pytest.approx(paper, rel=0.02)


def test_checkpointing_keeps_less_and_is_no_more_than_the_estimate():
    model = lmtune.load("pocket", device="cpu")[0].train()
    batch, shape = batch_of(2, 64, 4096), SHAPES["pocket"]
    without = saved_bytes(model, batch)
    model.gradient_checkpointing_enable()
    kept = saved_bytes(model, batch)
    one_layer = 2 * 64 * 64 * shape.width  # is computed again in the backward pass
    assert kept + one_layer == pytest.approx(2 * 64 * activation_bytes(shape, checkpointing=True), rel=0.02)
    assert kept < without / 2


def test_a_dtype_or_layer_more_shows():
    shape = SHAPES["pocket-mini"]
    assert activation_bytes(shape._replace(layers=3)) - activation_bytes(shape) == 64 * 128
    assert activation_bytes(shape._replace(vocabulary=4097)) - activation_bytes(shape) == 4


def test_measuring_leaves_the_model_alone():
    model = tiny_gpt2()
    saved_bytes(model, batch_of(2, 6, model.config.vocab_size))
    assert all(p.grad is None for p in model.parameters())


def test_parts_of_the_estimate():
    n = SHAPES["gpt2"].parameters
    assert estimate(SHAPES["gpt2"], 0)[:3] == (4 * n, 4 * n, 8 * n)
    assert estimate(SHAPES["gpt2"], 0, optimizer="sgd").total == 8 * n
    assert estimate(SHAPES["gpt2"], 0, precision="fp16").weights == 6 * n
    with pytest.raises(ValueError, match="adamw"):
        estimate(SHAPES["gpt2"], 1, optimizer="adam")
    with pytest.raises(ValueError, match="fp32"):
        activation_bytes(SHAPES["gpt2"], "int8")


def test_the_explorer_is_given_the_estimate(monkeypatch):
    pages = []
    monkeypatch.setattr(memory_explorer, "publish", lambda page, text: pages.append(page))
    memory_explorer.explore_memory("find the largest model")
    numbers = json.loads(unescape(re.search(r'data-numbers="([^"]*)"', pages[0])[1]))
    for name, shape in SHAPES.items():
        given = numbers["models"][name]
        for way, (precision, checkpointing) in memory_explorer._WAYS.items():
            paper = estimate(shape, 1024, precision=precision, checkpointing=checkpointing)
            per_parameter = (6 if numbers["half"][way] else 4) + 4 + numbers["state"]["adamw"]
            assert given["parameters"] * per_parameter + 1024 * given["token"][way] == paper.total
    assert "http" not in pages[0] and 'data-explorer="HASH"' not in pages[0]
