"""An encoder with a decoder through the loop: trained, evaluated, stopped and resumed, saved, written with."""

import pytest
import torch
import torch.nn.functional as F
from transformers import T5Config, T5ForConditionalGeneration

import lmtune
from lmtune.data.batches import collate
from lmtune.data.kinds import IGNORED, SEQUENCE_TO_SEQUENCE
from lmtune.training.config import Config
from lmtune.training.evaluation import evaluate
from lmtune.training.loop import fit, run
from tests.tiny import largest_difference, ragged_examples, sgd_step, tiny_gpt2


def tiny_t5(vocab=50, **changes):
    torch.manual_seed(0)
    settings = dict(
        vocab_size=vocab,
        d_model=16,
        d_kv=8,
        d_ff=32,
        num_layers=2,
        num_heads=2,
        dropout_rate=0.0,
        pad_token_id=0,
        eos_token_id=1,
        decoder_start_token_id=0,
    )
    return T5ForConditionalGeneration(T5Config(**{**settings, **changes})).double()


def rows(lengths, vocab=50, seed=0):
    made = torch.Generator().manual_seed(seed)

    def ids(n):
        return torch.randint(2, vocab, (n,), generator=made).tolist()

    return [
        {"input_ids": ids(a), "labels": [*ids(b), 1], "characters": b, "sequence_to_sequence": True} for a, b in lengths
    ]


RAGGED = rows([(3, 7), (9, 2), (5, 5), (2, 12), (6, 1)])


def true_gradients(model, examples):
    """By hand, one row at a time: the decoder reads its start and all labels but the last."""
    model.zero_grad()
    losses = []
    for e in examples:
        logits = model(
            input_ids=torch.tensor([e["input_ids"]]), decoder_input_ids=torch.tensor([[0, *e["labels"][:-1]]])
        ).logits[0]
        losses += [F.cross_entropy(logits[t], torch.tensor(y)) for t, y in enumerate(e["labels"]) if y != IGNORED]
    (torch.stack(losses).sum() / len(losses)).backward()
    return {n: p.grad.clone() for n, p in model.named_parameters()}


@pytest.mark.parametrize("settings", [dict(batch_size=5), dict(batch_size=2, accumulate=3)])
def test_one_update_equals_autograd_by_hand(settings):
    truth = true_gradients(tiny_t5(), RAGGED)
    moved = sgd_step(tiny_t5(), RAGGED, steps=1, **settings)
    # T5 takes the variance of its norms in fp32, so padding shows in the seventh digit.
    assert largest_difference(truth, moved) < 1e-6 * max(g.abs().max() for g in truth.values())


def test_row_04_a_loss_of_ones_own_equals_the_built_in_one_and_may_count_as_it_likes():
    def plain(model, batch):
        out = model(
            input_ids=batch["input_ids"],
            attention_mask=batch["attention_mask"],
            decoder_input_ids=model.prepare_decoder_input_ids_from_labels(labels=batch["labels"]),
        )
        total = F.cross_entropy(
            out.logits.flatten(0, 1), batch["labels"].flatten(), ignore_index=IGNORED, reduction="sum"
        )
        return total, (batch["labels"] != IGNORED).sum()

    def by_row(model, batch):
        return plain(model, batch)[0], len(batch["labels"])

    built_in = sgd_step(tiny_t5(), RAGGED, steps=1, batch_size=2, accumulate=3)
    own = sgd_step(tiny_t5(), RAGGED, steps=1, batch_size=2, accumulate=3, loss=plain)
    assert largest_difference(built_in, own) < 1e-15
    labels = sum(map(SEQUENCE_TO_SEQUENCE.labels, RAGGED))
    rows_counted = sgd_step(tiny_t5(), RAGGED, steps=1, batch_size=2, accumulate=3, loss=by_row)
    scaled = {n: g * labels / len(RAGGED) for n, g in built_in.items()}
    assert largest_difference(scaled, rows_counted) < 1e-12


def test_evaluation_is_the_same_at_every_batch_size():
    losses = {size: evaluate(tiny_t5(), RAGGED, batch_size=size, progress=False) for size in (1, 2, 5)}
    assert losses[1].labels == 32 and losses[1].loss == pytest.approx(losses[5].loss, rel=1e-6)
    assert losses[2].loss == pytest.approx(losses[5].loss, rel=1e-6)


def test_stopped_and_resumed_the_weights_are_bitwise_equal(tmp_path):
    settings = dict(steps=6, batch_size=2, ema=0.9, warmup=2)
    whole = tiny_t5(dropout_rate=0.1)
    fit(whole, RAGGED, **settings, folder=tmp_path / "whole", progress=False)
    cut, made = tiny_t5(dropout_rate=0.1), []
    for event in run(cut, RAGGED, Config(**settings), folder=tmp_path / "cut", stop=lambda: len(made) == 3):
        made.append(event)
    cut = tiny_t5(dropout_rate=0.1)
    fit(cut, RAGGED, **settings, folder=tmp_path / "cut", resume=True, progress=False)
    assert all(torch.equal(a, b) for a, b in zip(whole.parameters(), cut.parameters()))


def test_it_learns_to_answer_and_plain_transformers_writes_the_same(tiny_tokenizer, tmp_path):
    from transformers import AutoModelForSeq2SeqLM

    tokenizer = tiny_tokenizer
    prompts, answers = ["the sum", "a list"], ["of two numbers", "of the names"]
    made = lmtune.pairs(prompts, answers, tokenizer, encoder_decoder=True)
    for example in made:  # this tokenizer adds no end by itself
        example["labels"].append(tokenizer.eos_token_id)
    model = tiny_t5(vocab=len(tokenizer), d_model=32, eos_token_id=tokenizer.eos_token_id).float()
    fit(model, made, steps=150, lr=1e-2, progress=False)
    assert [lmtune.generate(model, tokenizer, p) for p in prompts] == answers
    model.save_pretrained(tmp_path)
    tokenizer.save_pretrained(tmp_path)
    again, its_tokenizer = lmtune.load(tmp_path)
    assert lmtune.generate(again, its_tokenizer, "a list") == "of the names"
    plain = AutoModelForSeq2SeqLM.from_pretrained(tmp_path)
    ids = torch.tensor([tokenizer("a list")["input_ids"]])
    out = plain.generate(ids, max_new_tokens=20, do_sample=False)
    assert tokenizer.decode(out[0], skip_special_tokens=True).strip() == "of the names"


def test_examples_of_the_wrong_side_are_refused_with_the_remedy(tiny_tokenizer):
    with pytest.raises(ValueError, match="encoder_decoder=True"):
        fit(tiny_t5(), ragged_examples([5, 6]), steps=1)
    with pytest.raises(ValueError, match="lmtune.windows or lmtune.pairs"):
        evaluate(tiny_gpt2(), RAGGED)
    with pytest.raises(ValueError, match="only one of them"):
        lmtune.pack(RAGGED, 32)
    with pytest.raises(ValueError, match="does not fit a context of 4"):
        lmtune.pairs(["a"], ["the sum of two numbers"], tiny_tokenizer, 4, encoder_decoder=True)


def test_a_batch_pads_both_sides_apart():
    batch = collate(RAGGED[:2])
    assert batch["input_ids"].shape == (2, 9) and batch["labels"].shape == (2, 8)
    assert batch["attention_mask"].sum(1).tolist() == [3, 9]
    assert (batch["labels"] == IGNORED).sum(1).tolist() == [0, 5]
