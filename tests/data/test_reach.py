"""What a model reads and knows: asked in one place, and right where configurations say it in their own ways."""

import pytest
import torch
import transformers as tf

import lmtune
from lmtune.data.reach import reach_of
from lmtune.models.prompt_tuning import SoftPrompt
from tests.tiny import ragged_examples, tiny_gpt2, tokenizer_like_llamas

SMALL = dict(vocab_size=50, hidden_size=16, num_hidden_layers=1, num_attention_heads=2, intermediate_size=32)


def roberta():
    return tf.RobertaForCausalLM(tf.RobertaConfig(**SMALL, max_position_embeddings=66, is_decoder=True))


def mpt():
    return tf.MptForCausalLM(tf.MptConfig(d_model=16, n_heads=2, n_layers=1, vocab_size=50, max_seq_len=24))


def nested():
    text = dict(**SMALL, num_key_value_heads=1, head_dim=8, max_position_embeddings=40)
    vision = dict(hidden_size=16, intermediate_size=16, num_hidden_layers=1, num_attention_heads=2, image_size=28)
    config = tf.Gemma3Config(text_config=text, vision_config=vision | {"patch_size": 14}, mm_tokens_per_image=4)
    return tf.Gemma3ForConditionalGeneration(config)


def xlnet():
    return tf.XLNetLMHeadModel(tf.XLNetConfig(vocab_size=50, d_model=16, n_layer=1, n_head=2, d_inner=16))


def led():
    sizes = dict(encoder_layers=1, decoder_layers=1, encoder_attention_heads=2, decoder_attention_heads=2)
    wide = dict(d_model=16, encoder_ffn_dim=16, decoder_ffn_dim=16, attention_window=4, vocab_size=50)
    limits = dict(max_encoder_position_embeddings=32, max_decoder_position_embeddings=12)
    return tf.LEDForConditionalGeneration(tf.LEDConfig(**sizes, **wide, **limits))


@pytest.mark.parametrize(
    "make, positions", [(roberta, 64), (mpt, 24), (nested, 40), (xlnet, None), (led, 32), (tiny_gpt2, 32)]
)
def test_row_43_the_limit_is_found_where_the_configuration_says_it(make, positions):
    reach = reach_of(make())
    assert reach.positions == positions and reach.vocabulary == 50


def test_row_43_a_decoder_has_a_limit_of_its_own():
    assert reach_of(led()).written == 12
    rows = [{"input_ids": [3] * 20, "labels": [3] * 13, "characters": 1, "sequence_to_sequence": True}]
    with pytest.raises(ValueError, match="13 labels and the decoder writes at most 12"):
        lmtune.evaluate(led(), rows)


@pytest.mark.parametrize("make, limit", [(roberta, 64), (mpt, 24)])
def test_row_43_at_the_limit_it_trains_and_one_more_is_refused(make, limit):
    model = make()
    lmtune.fit(model, ragged_examples([limit]), steps=1, progress=False)
    with pytest.raises(ValueError, match=f"{limit + 1} tokens and the model reads at most {limit}"):
        lmtune.fit(model, ragged_examples([limit + 1]), steps=1, progress=False)


def test_row_43_vectors_before_the_text_take_places_away():
    prompted = SoftPrompt(lmtune.classifier(tiny_gpt2(), 2), length=8)
    assert reach_of(prompted).positions == 24 and reach_of(prompted).vocabulary == 50
    rows = [{"input_ids": [3] * n, "labels": 1, "characters": 1} for n in (24, 25)]
    lmtune.evaluate(prompted, rows[:1])
    with pytest.raises(ValueError, match="25 tokens and the model reads at most 24"):
        lmtune.evaluate(prompted, rows[1:])


def test_row_43_generation_asks_the_same():
    tokenizer = tokenizer_like_llamas()
    with pytest.raises(ValueError, match="token id .* and the model knows 50"):
        lmtune.generate(tiny_gpt2(), tokenizer, "the sum")
    torch.manual_seed(0)
    model = tf.RobertaForCausalLM(
        tf.RobertaConfig(**{**SMALL, "vocab_size": len(tokenizer)}, max_position_embeddings=18, is_decoder=True)
    )
    lmtune.generate(model.eval(), tokenizer, "a", max_new_tokens=60, temperature=1.0)  # one more: an IndexError


@pytest.mark.parametrize("make", [mpt, nested])
def test_row_43_a_classifier_finds_the_width_where_the_configuration_says_it(make):
    model = lmtune.classifier(make(), 3)
    rows = [{"input_ids": [3, 4, 5], "labels": 1, "characters": 1}]
    assert lmtune.evaluate(model, rows).labels == 1 and reach_of(model).vocabulary == 50


def test_row_43_positions_are_numbered_alike_in_training_and_in_generation():
    """RoBERTa's begin behind its padding's, where transformers 5.23 generates from 0."""
    tokenizer = tokenizer_like_llamas()
    torch.manual_seed(0)
    sizes = {**SMALL, "vocab_size": len(tokenizer), "initializer_range": 0.5, "pad_token_id": 0}
    model = tf.RobertaForCausalLM(tf.RobertaConfig(**sizes, max_position_embeddings=66, is_decoder=True)).eval()
    ids = [tokenizer.bos_token_id, *tokenizer("the sum", add_special_tokens=False)["input_ids"]]
    for _ in range(6):
        with torch.no_grad():
            ids.append(int(model(torch.tensor([ids])).logits[0, -1].argmax()))
    assert tokenizer.eos_token_id not in ids
    assert lmtune.generate(model, tokenizer, "the sum", max_new_tokens=6) == tokenizer.decode(ids[1:])
    assert "prepare_inputs_for_generation" not in vars(model)
