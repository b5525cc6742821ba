"""Pretraining goes on after a kill as if nothing had happened."""

import dataclasses

import numpy as np
import pytest
import torch

from studies.pretraining import pretrain

RECIPE = pretrain.Recipe(layers=1, width=64, steps=6, batch=2, micro=1, warmup=2)


@pytest.fixture
def small(monkeypatch):
    """A few random documents, and a checkpoint after every update."""
    draw = np.random.default_rng(0)
    rows = [draw.integers(2, 100, size=n).astype(np.uint16) for n in (700, 900, 500)]
    monkeypatch.setattr(pretrain, "token_stream", lambda work: rows)
    monkeypatch.setattr(pretrain, "LOG_EVERY", 1)
    monkeypatch.setattr(pretrain, "CHECKPOINT_EVERY", 1)


def weights(model):
    return torch.cat([p.detach().flatten() for p in model.parameters()])


def test_killed_after_each_update_it_ends_with_the_same_weights(small, tmp_path, monkeypatch):
    whole = pretrain.pretrain("whole", RECIPE, tmp_path, compiled=False)
    store = pretrain.store

    def store_and_die(*arguments):
        store(*arguments)
        raise KeyboardInterrupt

    monkeypatch.setattr(pretrain, "store", store_and_die)
    for _ in range(RECIPE.steps):
        with pytest.raises(KeyboardInterrupt):
            pretrain.pretrain("cut", RECIPE, tmp_path, compiled=False)
    cut = pretrain.pretrain("cut", RECIPE, tmp_path, compiled=False)
    assert torch.equal(weights(whole), weights(cut))
    logs = [(tmp_path / n / "log.csv").read_text().splitlines() for n in ("whole", "cut")]
    assert [r.rsplit(",", 1)[0] for r in logs[0]] == [r.rsplit(",", 1)[0] for r in logs[1]]


def test_a_checkpoint_of_another_recipe_is_refused(small, tmp_path):
    pretrain.pretrain("one", RECIPE, tmp_path, compiled=False)
    with pytest.raises(SystemExit, match="another recipe"):
        pretrain.pretrain("one", dataclasses.replace(RECIPE, lr=1.0), tmp_path, compiled=False)


def test_the_rate_rises_and_falls_to_zero():
    rates = [pretrain.rate(s, RECIPE) / RECIPE.lr for s in range(RECIPE.steps)]
    assert rates == pytest.approx([0.5, 1.0, 1.0, 0.75, 0.5, 0.25])
