"""The small Transformer: causal wherever the norm stands, and the norm where it should."""

import pytest
import torch

import lmtune
from lmtune.models.transformer import PLACES, Transformer
from tests.tiny import largest_difference


def small(place, **sizes):
    return Transformer(place, **{"layers": 2, "width": 16, "heads": 2, "vocabulary": 11, "context": 12, **sizes})


@pytest.mark.parametrize("place", PLACES)
def test_no_position_sees_a_later_one_or_another_row(place):
    model, ids = small(place), torch.arange(18).reshape(2, 9) % 11
    changed = ids.clone()
    changed[:, 5:] = (changed[:, 5:] + 1) % 11
    changed[1] = (changed[1] + 3) % 11
    a, b = model(ids).logits, model(changed).logits
    assert a.shape == (2, 9, 11)
    assert torch.equal(a[0, :5], b[0, :5]) and not torch.allclose(a[0, 5:], b[0, 5:])


@pytest.mark.parametrize("place, norms", [("before", 5), ("after", 4), ("inputs", 1), ("nowhere", 0)])
def test_how_many_norms_there_are(place, norms):
    assert sum(isinstance(m, torch.nn.LayerNorm) for m in small(place).modules()) == norms


def test_before_adds_and_after_normalizes():
    x = torch.randn(1, 4, 16, generator=torch.Generator().manual_seed(0)) * 5
    before, after, nowhere = (small(p).blocks[0] for p in ("before", "after", "nowhere"))
    assert torch.allclose(after(x).mean(-1), torch.zeros(1, 4), atol=1e-5)
    assert after(x).std(-1, correction=0).sub(1).abs().max() < 1e-2
    middle = before(x)
    assert not torch.allclose(middle.mean(-1), torch.zeros(1, 4), atol=1e-2)
    y = x + nowhere.attend(x)
    assert torch.allclose(nowhere(x), y + nowhere.feed_forward(y))
    z = x + before.attend(before.norms[0](x))
    assert torch.allclose(middle, z + before.feed_forward(before.norms[1](z)))


def test_the_seed_decides_the_weights_and_nothing_else():
    state = torch.get_rng_state()
    a, b, c = (dict(small("before", seed=s).named_parameters()) for s in (0, 0, 1))
    assert largest_difference(a, b) == 0 and largest_difference(a, c) > 0
    assert torch.equal(state, torch.get_rng_state())


def test_std_draws_the_layers_matrices_and_leaves_the_embeddings():
    def spread(model):
        matrices = [m.weight.flatten() for m in model.modules() if isinstance(m, torch.nn.Linear)]
        return torch.cat(matrices).std().item(), model.tokens.weight.std().item()

    wide = {"width": 64, "heads": 4, "vocabulary": 256}
    for std, expected in ((None, 0.125), (0.02, 0.02), (0.3, 0.3)):
        assert spread(small("inputs", std=std, **wide)) == pytest.approx((expected, 0.02), rel=0.03)
    default, named = (dict(small("before", **s).named_parameters()) for s in ({}, {"std": 0.25}))
    assert largest_difference(default, named) == 0  # 16 ** -0.5


def test_the_loop_trains_it():
    row = [1, 2, 3, 4, 5, 6]
    data = [{"input_ids": row, "labels": row, "characters": 6}]
    model = small("before")
    history = lmtune.fit(model, data, steps=20, lr=1e-2, progress=False)
    assert history.losses[-1] < 0.5 * history.losses[0]


def test_wrong_settings_are_refused():
    with pytest.raises(ValueError, match="'before', 'after'"):
        Transformer("between")
    with pytest.raises(ValueError, match="multiple of heads"):
        Transformer(width=30)
    for std in (0, -0.02, float("nan")):
        with pytest.raises(ValueError, match="std.*positive"):
            Transformer(std=std)
