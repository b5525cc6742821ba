"""What is tried on a model itself before a run."""

import pytest
import torch
import transformers as tf

import lmtune
from lmtune.data.batches import collate
from lmtune.training.losses import next_token_loss, smoothed
from tests.tiny import ragged_examples, tiny_gpt2, tiny_llama

SMALL = dict(vocab_size=50, hidden_size=16, num_hidden_layers=2, num_attention_heads=2, intermediate_size=32)
EXAMPLES = ragged_examples([9, 12, 7, 20])


def bert(**more):
    torch.manual_seed(0)
    return tf.BertLMHeadModel(tf.BertConfig(**SMALL, **more)).eval()


def mistral():
    torch.manual_seed(0)
    return tf.MistralForCausalLM(tf.MistralConfig(**SMALL, num_key_value_heads=2, sliding_window=16)).eval()


@pytest.mark.parametrize("loss", [None, smoothed(0.1)])
def test_row_34_a_model_that_reads_later_tokens_is_refused(loss):
    model = bert()
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(ValueError, match="BertLMHeadModel reads later tokens.*is_decoder=True"):
        lmtune.fit(model, EXAMPLES, steps=1, loss=loss, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))
    with pytest.raises(ValueError, match="reads later tokens"):
        lmtune.evaluate(model, EXAMPLES)


def test_row_34_a_decoder_of_the_same_family_trains():
    lmtune.fit(bert(is_decoder=True), EXAMPLES, steps=1, progress=False)


def test_row_34_a_look_ahead_of_one_token_is_found():
    class Peeks(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.inner = tiny_gpt2()

        def forward(self, **inputs):
            output = self.inner(**inputs)
            output.logits = output.logits + 1e-3 * output.logits.roll(-1, dims=1)
            return output

    with pytest.raises(ValueError, match="reads later tokens"):
        lmtune.fit(Peeks(), EXAMPLES, steps=1, progress=False)


def test_row_34_a_loss_of_ones_own_may_want_later_tokens():
    def masked(model, batch):
        return next_token_loss(model, batch)

    lmtune.fit(bert(), EXAMPLES, steps=1, loss=masked, progress=False)


def test_row_34_random_state_and_modes_stay_as_they_were():
    model = tiny_gpt2(resid_pdrop=0.5).train()
    state = torch.random.get_rng_state()
    lmtune.evaluate(model, EXAMPLES)
    assert model.training and torch.equal(state, torch.random.get_rng_state())


def test_row_35_a_window_that_is_shorter_than_one_document_of_many_is_found():
    model = mistral()
    short = lmtune.pack(ragged_examples([8, 9, 10, 12, 9, 3]), 48)
    assert lmtune.evaluate(model, short).loss == pytest.approx(
        lmtune.evaluate(model, ragged_examples([8, 9, 10, 12, 9, 3])).loss, rel=1e-6
    )
    with pytest.raises(ValueError, match="does not keep packed documents apart.*longest has 40 tokens"):
        lmtune.fit(model, short + lmtune.pack(ragged_examples([40, 3]), 48), steps=1, progress=False)


def test_row_35_so_is_one_on_disk():
    import datasets

    rows = lmtune.pack(ragged_examples([8, 9, 10, 12, 9, 3]), 24) + lmtune.pack(ragged_examples([40, 3]), 48)
    table = datasets.Dataset.from_list(rows)
    lmtune.evaluate(mistral(), table.select(range(2)).flatten_indices())
    with pytest.raises(ValueError, match="longest has 40 tokens"):
        lmtune.evaluate(mistral(), table)


def test_row_35_what_takes_no_such_mask_is_refused_in_one_sentence():
    torch.manual_seed(0)
    model = tf.BloomForCausalLM(tf.BloomConfig(vocab_size=50, hidden_size=16, n_layer=1, n_head=2)).eval()
    rows = lmtune.pack(EXAMPLES, 48)
    for call in (lambda: lmtune.fit(model, rows, steps=1, progress=False), lambda: lmtune.evaluate(model, rows)):
        with pytest.raises(ValueError, match="does not take the mask that keeps packed documents apart"):
            call()


@pytest.mark.parametrize("build", [tiny_gpt2, tiny_llama])
def test_models_that_keep_documents_apart_pass(build):
    model, rows = build(), lmtune.pack(EXAMPLES, 32)
    total, count = next_token_loss(model, collate(rows))
    assert lmtune.evaluate(model, rows).loss == pytest.approx(float(total / count))
