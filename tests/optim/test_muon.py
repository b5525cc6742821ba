"""Muon and AdamW as one optimizer: who updates what, and the loop's dealings with it."""

import pytest
import torch
from torch import nn

import lmtune
from lmtune.optim.muon import Joined, inner_matrices, muon
from lmtune.optim.optimizers import adamw, set_rate
from lmtune.training.config import Config
from lmtune.training.loop import fit
from tests.tiny import largest_difference, ragged_examples, tiny_gpt2

pytestmark = pytest.mark.skipif(not hasattr(torch.optim, "Muon"), reason="torch before 2.9 has no Muon")
EXAMPLES = ragged_examples([5, 9, 3, 7, 4, 8])


def weights(model):
    return {n: p.detach().clone() for n, p in model.named_parameters()}


def test_matrices_inside_the_layers_and_no_others():
    model = tiny_gpt2()
    chosen = {id(p) for p in inner_matrices(model)}
    names = {n for n, p in model.named_parameters() if id(p) in chosen}
    assert names and all(".h." in n and n.endswith("weight") and "ln" not in n for n in names)
    assert not any("wte" in n or "wpe" in n for n in names)
    assert len(names) == 4 * model.config.n_layer


def test_every_parameter_is_updated_once():
    model = tiny_gpt2()
    optimizer = muon(model, Config())
    held = [id(p) for g in optimizer.param_groups for p in g["params"]]
    assert len(held) == len(set(held)) == sum(1 for _ in model.parameters())


def test_one_step_is_muons_and_adamws():
    model, first, second = tiny_gpt2(), tiny_gpt2(), tiny_gpt2()
    config = Config(lr=0.01, weight_decay=0.1)
    optimizers = [
        muon(model, config),
        adamw(second, config),
        torch.optim.Muon(inner_matrices(first), 0.01, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"),
    ]
    for m in (model, first, second):
        generator = torch.Generator().manual_seed(3)
        for p in m.parameters():
            p.grad = torch.randn(p.shape, generator=generator, dtype=p.dtype)
    for optimizer in optimizers:
        optimizer.step()
    inner = {id(p) for p in inner_matrices(model)}
    for (n, p), q, r in zip(model.named_parameters(), first.parameters(), second.parameters()):
        assert torch.allclose(p, q if id(p) in inner else r, atol=1e-7), n


def test_the_schedule_reaches_both_parts():
    optimizer = muon(tiny_gpt2(), Config(lr=0.01))
    set_rate(optimizer, 0.5)
    assert {g["lr"] for part in optimizer.parts for g in part.param_groups} == {0.005}


def test_the_loop_trains_and_resumes_to_the_same_weights(tmp_path):
    settings = dict(optimizer=muon, lr=0.01, batch_size=2, progress=False)
    whole, model = tiny_gpt2(), tiny_gpt2()
    before = weights(whole)
    fit(whole, EXAMPLES, steps=6, **settings)
    assert largest_difference(before, weights(whole)) > 1e-3
    config = Config(steps=6, optimizer=muon, lr=0.01, batch_size=2, save_every=3)
    for event in lmtune.run(model, EXAMPLES, config, folder=tmp_path / "run"):
        if event.step == 3:
            break
    again = tiny_gpt2()
    fit(again, EXAMPLES, steps=6, save_every=3, folder=tmp_path / "run", resume=True, **settings)
    assert largest_difference(weights(whole), weights(again)) == 0.0


def test_a_model_without_inner_matrices_gets_adamw_alone():
    assert isinstance(muon(nn.Embedding(4, 3), Config()), torch.optim.AdamW)


def test_refusals(monkeypatch):
    optimizer = muon(tiny_gpt2(), Config())
    with pytest.raises(ValueError, match="no closure"):
        optimizer.step(lambda: 0.0)
    with pytest.raises(ValueError, match="2"):
        optimizer.load_state_dict({"parts": []})
    assert isinstance(optimizer, Joined)
    monkeypatch.delattr(torch.optim, "Muon")
    with pytest.raises(RuntimeError, match="2.9"):
        muon(tiny_gpt2(), Config())
