"""Packed rows: documents see only themselves, and little of a batch is padding."""

import pytest
import torch

import lmtune
from lmtune.data import tasks
from lmtune.data.batches import collate, useful_share
from lmtune.data.kinds import IGNORED, NEXT_TOKEN
from lmtune.data.packing import pack
from lmtune.training.evaluation import evaluate
from lmtune.training.loop import fit
from lmtune.training.losses import next_token_loss
from tests.tiny import largest_difference, ragged_examples, sgd_step, tiny_gpt2, tiny_llama

LENGTHS = [5, 9, 3, 12, 4, 7, 2, 6]


def logits_of(model, examples):
    """The logits that the loss sees, through the same call."""
    seen = []
    handle = model.register_forward_hook(lambda module, args, output: seen.append(output.logits))
    next_token_loss(model, collate(examples))
    handle.remove()
    return seen[0]


@pytest.mark.parametrize("attention", ["sdpa", "eager"])
def test_row_09_logits_of_a_packed_document_are_those_it_has_alone(tiny_model, attention):
    tiny_model.set_attn_implementation(attention)
    tiny_model.eval()
    packed = pack(ragged_examples(LENGTHS), 20)
    for row, logits in zip(packed, logits_of(tiny_model, packed)):
        start = 0
        for length in row["documents"]:
            alone = tiny_model(input_ids=torch.tensor([row["input_ids"][start : start + length]])).logits[0]
            assert torch.allclose(logits[start : start + length], alone, atol=1e-12)
            start += length


def test_row_09_no_document_predicts_the_first_token_of_the_next():
    packed = pack(ragged_examples(LENGTHS), 20)
    for row in packed:
        starts = [sum(row["documents"][:i]) for i in range(len(row["documents"]))]
        assert [row["labels"][at] for at in starts] == [IGNORED] * len(starts)
    assert sum(map(NEXT_TOKEN.labels, packed)) == sum(map(NEXT_TOKEN.labels, ragged_examples(LENGTHS)))


@pytest.mark.parametrize("build", [tiny_gpt2, tiny_llama])
def test_packed_and_padded_examples_give_the_same_update(build):
    examples = ragged_examples(LENGTHS)
    examples[3]["labels"][2:6] = [IGNORED] * 4
    padded = sgd_step(build(), examples, steps=1, batch_size=8)
    packed = sgd_step(build(), pack(examples, 20), steps=1, batch_size=1, accumulate=3)
    assert largest_difference(padded, packed) < 1e-12


def test_every_example_is_packed_once_and_fits():
    examples = ragged_examples([1 + i % 19 for i in range(200)])
    packed = pack(examples, 20)
    assert sum(len(e["input_ids"]) for e in packed) == sum(len(e["input_ids"]) for e in examples)
    assert all(sum(e["documents"]) == len(e["input_ids"]) <= 20 for e in packed)
    cut = [
        tuple(e["input_ids"][sum(e["documents"][:i]) : sum(e["documents"][: i + 1])])
        for e in packed
        for i in range(len(e["documents"]))
    ]
    assert sorted(cut) == sorted(tuple(e["input_ids"]) for e in examples)
    assert sum(e["characters"] for e in packed) == sum(e["characters"] for e in examples)


def test_evaluation_of_packed_and_padded_data_agrees():
    examples = ragged_examples(LENGTHS)
    assert evaluate(tiny_gpt2(), pack(examples, 20)).loss == pytest.approx(
        evaluate(tiny_gpt2(), examples).loss, abs=1e-12
    )


def test_packing_the_docs_tasks_leaves_two_percent_of_padding_at_the_most():
    _, tokenizer = lmtune.load("pocket-mini")
    texts = tasks.language_modelling("networkx").train
    examples = lmtune.windows(texts, tokenizer, context=256)
    padded, packed = useful_share(examples, 8), useful_share(pack(examples, 256), 8)
    assert padded < 0.8 and packed > 0.98


def test_training_on_packed_rows_learns():
    examples = ragged_examples([5, 9, 3, 12])
    assert fit(tiny_gpt2(), pack(examples, 20), steps=20, lr=1e-2).losses[-1] < 3.0


@pytest.mark.parametrize(
    "call, words",
    [
        (lambda: pack(ragged_examples([9]), 8), "context=8 or less"),
        (lambda: pack(pack(ragged_examples([4]), 8), 8), "pack only once"),
        (lambda: pack([{"input_ids": [1], "labels": 0, "characters": 1}], 8), "a row can hold only one"),
        (lambda: pack([], 1), "at least 2"),
    ],
)
def test_what_cannot_be_packed_is_refused(call, words):
    with pytest.raises(ValueError, match=words):
        call()


def test_row_09_models_that_take_no_such_mask_are_refused():
    from transformers import MistralConfig, MistralForCausalLM

    torch.manual_seed(0)
    model = MistralForCausalLM(
        MistralConfig(
            vocab_size=50,
            hidden_size=16,
            intermediate_size=32,
            num_hidden_layers=2,
            num_attention_heads=2,
            num_key_value_heads=2,
            max_position_embeddings=32,
            sliding_window=3,
            initializer_range=0.5,
        )
    ).double()
    packed = pack(ragged_examples(LENGTHS), 20)
    for call in (lambda: fit(model, packed, steps=1), lambda: evaluate(model, packed)):
        with pytest.raises(ValueError, match="does not keep packed documents apart"):
            call()
    fit(model, ragged_examples(LENGTHS), steps=1)


def test_nothing_packs_to_nothing():
    assert pack([], 8) == []
