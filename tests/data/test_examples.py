"""From text to examples to batches: every token once, every character once."""

import pytest

from lmtune.data.batches import collate, order
from lmtune.data.examples import labelled, pairs, windows
from lmtune.data.kinds import IGNORED

TEXTS = ["the sum of two numbers", "", "a", "naïve λ 日本 emoji 🙂 " * 9]


@pytest.mark.parametrize("context, overlap", [(32, 0), (8, 0), (8, 3), (2, 0)])
def test_every_token_is_a_label_once_and_every_character_counts_once(tiny_tokenizer, context, overlap):
    end = tiny_tokenizer.eos_token_id
    for text in TEXTS:
        rows = windows([text], tiny_tokenizer, context, overlap)
        ids = tiny_tokenizer(text)["input_ids"]
        labels = [l for row in rows for l in row["labels"] if l != IGNORED]
        assert labels == [*ids, end]
        assert sum(r["characters"] for r in rows) == len(text)
        for row in rows:
            assert len(row["input_ids"]) == len(row["labels"]) <= context
            assert row["labels"][0] == IGNORED
            assert all(l in (IGNORED, i) for l, i in zip(row["labels"], row["input_ids"]))


def test_overlap_repeats_context_without_labels(tiny_tokenizer):
    first, second, *_ = windows(["the sum of two numbers " * 5], tiny_tokenizer, 10, overlap=4)
    assert second["input_ids"][:4] == first["input_ids"][-4:]
    assert second["labels"][:4] == [IGNORED] * 4 and second["labels"][4] != IGNORED


def test_collate_pads_by_position_and_not_by_token(tiny_tokenizer):
    end = tiny_tokenizer.eos_token_id
    batch = collate(windows(["the sum of", "a"], tiny_tokenizer))
    short = (batch["attention_mask"][1] == 1).sum()
    assert batch["input_ids"][1, 0] == end and batch["labels"][1, short - 1] == end
    assert (batch["labels"][1, short:] == IGNORED).all()


def test_the_prompt_is_not_a_label_and_loses_tokens_first(tiny_tokenizer):
    [row] = pairs(["the sum of two"], [" numbers"], tiny_tokenizer)
    n = len(tiny_tokenizer(" numbers")["input_ids"]) + 1
    assert row["labels"][:-n] == [IGNORED] * (len(row["labels"]) - n)
    assert row["labels"][-n:] == row["input_ids"][-n:] and row["labels"][-1] == tiny_tokenizer.eos_token_id
    [cut] = pairs(["the sum of two " * 9], [" numbers"], tiny_tokenizer, context=12)
    assert len(cut["input_ids"]) == 12 and cut["labels"][-n:] == row["labels"][-n:]
    with pytest.raises(ValueError, match="does not fit"):
        pairs(["a"], ["numbers " * 20], tiny_tokenizer, context=12)


def test_labelled_rows_are_cut_to_the_context(tiny_tokenizer):
    [row] = labelled(["the sum of two numbers " * 9], [3], tiny_tokenizer, context=7)
    assert len(row["input_ids"]) == 7 and row["labels"] == 3
    assert collate([row])["labels"].tolist() == [3]


def test_the_order_is_a_permutation_of_seed_and_epoch():
    assert sorted(order(50, 1, 0)) == list(range(50))
    assert order(50, 1, 0) == order(50, 1, 0) != order(50, 1, 1) != order(50, 2, 0)


def test_wrong_input_is_named(tiny_tokenizer):
    with pytest.raises(TypeError, match=r"write \[text\]"):
        windows("one string", tiny_tokenizer)
    with pytest.raises(TypeError, match="number 1 is a NoneType"):
        windows(["a", None], tiny_tokenizer)
    with pytest.raises(ValueError, match="context is 1"):
        windows(["a"], tiny_tokenizer, 1)
    with pytest.raises(ValueError, match="overlap is 7"):
        windows(["a"], tiny_tokenizer, 8, 7)
    with pytest.raises(ValueError, match="2 texts and 1 classes"):
        labelled(["a", "b"], [0], tiny_tokenizer)
