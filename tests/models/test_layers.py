"""Depths, what is frozen, and a rate for each layer."""

import pytest
import torch
from transformers import BertConfig, BertModel

import lmtune
from lmtune.models.layers import depths, layerwise, unfreeze
from lmtune.training.config import Config
from tests.tiny import ragged_examples, tiny_gpt2, tiny_llama


def tiny_bert():
    config = BertConfig(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
    return BertModel(config, add_pooling_layer=False)


@pytest.mark.parametrize(
    "model, first, last",
    [
        (tiny_gpt2, "transformer.wte.weight", ("transformer.ln_f.weight", 2)),
        (tiny_llama, "model.embed_tokens.weight", ("lm_head.weight", 3)),
        (lambda: lmtune.classifier(tiny_gpt2(), 3), "base.wte.weight", ("head.weight", 3)),
        (
            lambda: lmtune.classifier(tiny_bert(), 3, pooling="mean"),
            "base.embeddings.LayerNorm.weight",
            ("head.bias", 3),
        ),
    ],
)
def test_depths_grow_from_the_embeddings_to_the_head(model, first, last):
    model = model()
    found = depths(model)
    assert found[first] == 0 and found[last[0]] == last[1]
    values = list(found.values())
    assert values == sorted(values) and set(found) == {n for n, _ in model.named_parameters()}


def trained(model):
    return {n for n, p in model.named_parameters() if p.requires_grad}


def test_unfreezing_goes_from_the_head_downwards():
    model = lmtune.classifier(tiny_gpt2(), 3)
    assert unfreeze(model, 0) == 3 * 16 + 3 and trained(model) == {"head.weight", "head.bias"}
    unfreeze(model, 1)
    assert {n.split(".")[1] for n in trained(model) if n.startswith("base")} == {"h", "ln_f"}
    assert not any(n.startswith("base.h.0.") for n in trained(model))
    unfreeze(model, 2)
    assert not any("wte" in n or "wpe" in n for n in trained(model))
    assert unfreeze(model, 3) == sum(p.numel() for p in model.parameters())
    with pytest.raises(ValueError, match="from 0 to 3"):
        unfreeze(model, 4)
    with pytest.raises(ValueError, match="nothing would train"):
        unfreeze(tiny_gpt2(), 0)
    with pytest.raises(ValueError, match="no list of layers"):
        unfreeze(torch.nn.Linear(2, 2), 1)


def test_only_what_is_unfrozen_moves():
    model = lmtune.classifier(tiny_gpt2(), 3)
    unfreeze(model, 1)
    before = {n: p.detach().clone() for n, p in model.named_parameters()}
    rows = [{**row, "labels": i % 3} for i, row in enumerate(ragged_examples([5, 9, 7, 4]))]
    lmtune.fit(model, rows, steps=2, lr=0.1, loss=lmtune.classification_loss, progress=False)
    assert {n for n, p in model.named_parameters() if not torch.equal(p, before[n])} == trained(model)


def test_each_layer_has_its_rate_and_each_trainable_parameter_stands_once():
    model = lmtune.classifier(tiny_gpt2(), 3)
    optimizer = layerwise(0.5)(model, Config(lr=0.8, weight_decay=0.1))
    rate = {id(p): (g["lr"], g["weight_decay"]) for g in optimizer.param_groups for p in g["params"]}
    assert sum(len(g["params"]) for g in optimizer.param_groups) == len(rate) == len(list(model.parameters()))
    want = {
        "head.weight": (0.8, 0.1),
        "head.bias": (0.8, 0.0),
        "base.h.1.attn.c_attn.weight": (0.4, 0.1),
        "base.ln_f.weight": (0.4, 0.0),
        "base.h.0.mlp.c_fc.bias": (0.2, 0.0),
        "base.wte.weight": (0.1, 0.1),
    }
    named = dict(model.named_parameters())
    for name, (lr, decay) in want.items():
        assert rate[id(named[name])] == pytest.approx((lr, decay)), name
    unfreeze(model, 0)
    assert len(layerwise(0.5)(model, Config()).param_groups) == 2
    # Without a head of its own the last layer stands one below the rate of the config, and ties come once.
    language = layerwise(0.5)(tiny_gpt2(), Config(lr=0.8))
    assert {g["lr"] for g in language.param_groups} == {0.4, 0.2, 0.1}
    with pytest.raises(ValueError, match="decay is 0"):
        layerwise(0)


def test_with_a_decay_of_one_it_is_the_plain_run():
    runs = []
    for maker in (None, layerwise(1.0)):
        model = tiny_gpt2()
        runs.append(lmtune.fit(model, ragged_examples([8, 12, 6]), steps=3, optimizer=maker, progress=False).losses)
    assert runs[0] == pytest.approx(runs[1], rel=1e-9)
