"""Dropout that is set on a loaded model takes effect, in every family's way of holding its rate."""

import pytest
import torch
from torch import nn

from lmtune.models.dropout import set_dropout
from lmtune.models.loading import load


def gpt2():
    return load("pocket-mini")[0]


def llama():
    from transformers import LlamaConfig, LlamaForCausalLM

    return LlamaForCausalLM(
        LlamaConfig(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2, vocab_size=100)
    )


def bert():
    from transformers import BertConfig, BertForMaskedLM

    return BertForMaskedLM(
        BertConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            vocab_size=100,
            num_attention_heads=2,
            hidden_dropout_prob=0.0,
            attention_probs_dropout_prob=0.0,
        )
    )


def varies(model):
    torch.manual_seed(0)
    with torch.no_grad():
        ids = torch.arange(20)[None]
        return not torch.equal(model(ids).logits, model(ids).logits)


@pytest.mark.parametrize("make", [gpt2, llama, bert])
def test_it_takes_effect_in_training_alone(make):
    model = make().train()
    assert not varies(model)
    places = set_dropout(model, 0.4)
    assert varies(model) and not varies(model.eval())
    assert len(places) == len(set(places))
    set_dropout(model, 0)
    assert not varies(model.train())


def test_every_place_of_gpt2_and_the_configuration():
    model = gpt2()
    assert len(set_dropout(model, 0.25)) == 7
    assert {m.p for m in model.modules() if isinstance(m, nn.Dropout)} == {0.25}
    assert model.config.attn_pdrop == model.config.resid_pdrop == model.config.embd_pdrop == 0.25


def test_a_rate_that_the_model_itself_holds_is_named_without_a_dot():
    class Own(nn.Module):
        dropout = 0.0

        def __init__(self):
            super().__init__()
            self.attention_dropout, self.inner = 0.0, nn.Linear(1, 1)
            self.inner.dropout = 0.0

    assert set_dropout(Own(), 0.25) == ["attention_dropout", "inner.dropout"]


def test_each_place_drops_at_the_rate():
    model = nn.Sequential(nn.Dropout(0.0), nn.Flatten())
    set_dropout(model, 0.3)
    torch.manual_seed(0)
    kept = (model(torch.ones(100, 1000)) != 0).float().mean().item()
    assert abs(kept - 0.7) < 0.01


def test_layers_and_paths_are_not_dropped():
    model = nn.Sequential(nn.Dropout(0.0))
    model.layerdrop = model.drop_path_rate = model.dropout_names = 0.0
    set_dropout(model, 0.5)
    assert model.layerdrop == model.drop_path_rate == model.dropout_names == 0.0


def test_a_model_without_any_place_is_refused():
    with pytest.raises(ValueError, match="no place that drops"):
        set_dropout(nn.Linear(2, 2), 0.1)


@pytest.mark.parametrize("rate", [1, 1.0, -0.1, float("nan"), "0.1", None, True])
def test_a_wrong_rate_is_refused(rate):
    with pytest.raises(ValueError, match="rate is"):
        set_dropout(gpt2(), rate)
