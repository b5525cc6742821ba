"""New tokens: ids, the rows that they begin with, and ties that stay tied."""

import pytest
import torch

import lmtune
from lmtune.models.vocabulary import add_tokens, words_to_add
from tests.tiny import tiny_gpt2, tiny_llama, tokenizer_of_letters

WORDS = [" digraph", " numbers graph"]


def fresh(tiny_tokenizer, make=tiny_gpt2):
    import copy

    tokenizer = copy.deepcopy(tiny_tokenizer)
    return make(len(tokenizer)), tokenizer


@pytest.mark.parametrize("make", [tiny_gpt2, tiny_llama])
@pytest.mark.parametrize("start", ["pieces", "mean", "random"])
def test_the_rows_begin_as_asked(tiny_tokenizer, make, start):
    model, tokenizer = fresh(tiny_tokenizer, make)
    tables = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
    tied = tables[0] is tables[1]
    assert tied == (make is tiny_gpt2)
    old, pieces = [t.detach().clone() for t in tables], tokenizer(" digraph")["input_ids"]
    ids = add_tokens(model, tokenizer, WORDS, start=start)
    assert ids == [len(old[0]), len(old[0]) + 1] and tokenizer(" digraph")["input_ids"] == [ids[0]]
    now = [model.get_input_embeddings().weight, model.get_output_embeddings().weight]
    assert (now[0] is now[1]) == tied and len(now[0]) == len(old[0]) + 2 == model.config.vocab_size
    for table, before in zip(now, old):
        assert torch.equal(table[: len(before)], before)
        if start == "pieces":
            assert torch.allclose(table[ids[0]], before[pieces].mean(0))
        elif start == "mean":
            assert torch.allclose(table[ids[1]], before.mean(0))
        else:
            assert not torch.allclose(table[ids[0]], table[ids[1]])
            assert 0.3 < table[ids].std() / before.std() < 3


def test_text_goes_through_unchanged_and_a_window_reads_it(tiny_tokenizer):
    model, tokenizer = fresh(tiny_tokenizer)
    text = "a digraph of the names, and digraphs"
    long = len(tokenizer(text)["input_ids"])
    add_tokens(model, tokenizer, WORDS)
    ids = tokenizer(text)["input_ids"]
    assert tokenizer.decode(ids) == text and len(ids) < long
    (row,) = lmtune.windows([text], tokenizer)
    assert row["characters"] == len(text)
    assert lmtune.evaluate(model, [row], progress=False).loss > 0


def test_spare_rows_are_kept_and_filled(tiny_tokenizer):
    model, tokenizer = tiny_gpt2(len(tiny_tokenizer) + 10), fresh(tiny_tokenizer)[1]
    old = model.get_input_embeddings().weight.detach().clone()
    ids = add_tokens(model, tokenizer, WORDS, start="mean")
    now = model.get_input_embeddings().weight
    assert len(now) == len(old) and torch.allclose(now[ids[0]], old[: len(tokenizer) - 2].mean(0))


def test_the_words_that_save_most(tiny_tokenizer):
    texts = ["the zzzzzz of the names", "a zzzzzz and a yyyy", "the names"]
    assert words_to_add(texts, tiny_tokenizer, 2) == [" zzzzzz", " yyyy"]
    often = ["a zzzzzz and yyyy", "a yyyy of yyyy yyyy"]  # fewer pieces each time, and more times
    assert words_to_add(often, tiny_tokenizer, 1) == [" yyyy"]
    assert words_to_add([], tiny_tokenizer, 2) == []


def test_row_38_an_entry_that_no_text_reaches_is_not_given_twice():
    """ "zebra" is in the vocabulary and no merge makes it, so a text gets its letters."""
    tokenizer = tokenizer_of_letters(["z", "e", "b", "r", "a", "zebra", "g", "i", "f"])
    model, size = tiny_gpt2(vocab=len(tokenizer)), len(tokenizer)
    table = model.get_input_embeddings().weight.detach().clone()
    assert len(tokenizer("zebra")["input_ids"]) == 5
    with pytest.raises(ValueError, match=f"'zebra' the id {tokenizer.get_vocab()['zebra']}, which it has given before"):
        add_tokens(model, tokenizer, ["giraffe", "zebra"])
    assert len(tokenizer) == size and torch.equal(table, model.get_input_embeddings().weight)


def test_row_38_the_ids_are_those_that_a_text_then_gets(tiny_tokenizer):
    model, tokenizer = fresh(tiny_tokenizer)
    ids = add_tokens(model, tokenizer, ["zebra", "giraffe"])
    assert [tokenizer(word)["input_ids"] for word in ("zebra", "giraffe")] == [[number] for number in ids]


def test_refusals(tiny_tokenizer):
    model, tokenizer = fresh(tiny_tokenizer)
    with pytest.raises(TypeError, match="write .word."):
        add_tokens(model, tokenizer, " digraph")
    with pytest.raises(ValueError, match="'pieces', 'mean', 'random'"):
        add_tokens(model, tokenizer, WORDS, start="zero")
    with pytest.raises(ValueError, match="one token already"):
        add_tokens(model, tokenizer, [" the"])
    with pytest.raises(ValueError, match="twice"):
        add_tokens(model, tokenizer, [" digraph", " digraph"])
    assert len(tokenizer) == len(tiny_tokenizer)
