"""Distances of texts: closed forms and bounds."""

import pytest

from lmtune.data.distance import divergence, tokens_per_word, word_counts


def test_words_are_runs_of_letters_in_lower_case():
    assert word_counts(["The the x_y 3"]) == {"the": 2, "x": 1, "y": 1}


def test_the_divergence_has_its_bounds_and_its_closed_form():
    assert divergence(["a b c"], ["c a b"]) == pytest.approx(0)
    assert divergence(["a b"], ["c d e"]) == pytest.approx(1)
    # P = (1, 0), Q = (1/2, 1/2), their mean (3/4, 1/4)
    from math import log2

    by_hand = (log2(1 / 0.75) + 0.5 * log2(0.5 / 0.75) + 0.5 * log2(0.5 / 0.25)) / 2
    assert divergence(["a"], ["a b"]) == pytest.approx(by_hand) == pytest.approx(divergence(["a b"], ["a"]))


def test_scipy_agrees():
    from scipy.spatial.distance import jensenshannon

    a, b = ["one two two three"], ["two three three four"]
    p, q = [[counts[w] for w in ("one", "two", "three", "four")] for counts in map(word_counts, (a, b))]
    assert divergence(a, b) == pytest.approx(jensenshannon(p, q, base=2) ** 2)


def test_tokens_per_word(tiny_tokenizer):
    assert tokens_per_word(tiny_tokenizer, ["the sum of"]) == pytest.approx(
        len(tiny_tokenizer("the sum of")["input_ids"]) / 3
    )


@pytest.mark.parametrize("call", [lambda t: divergence("a", ["b"]), lambda t: tokens_per_word(t, "a")])
def test_one_string_is_refused(call, tiny_tokenizer):
    with pytest.raises(TypeError, match="write .text."):
        call(tiny_tokenizer)


def test_texts_without_words_are_refused(tiny_tokenizer):
    with pytest.raises(ValueError, match="no word"):
        divergence(["1 2"], ["a"])
    with pytest.raises(ValueError, match="no word"):
        tokens_per_word(tiny_tokenizer, [""])
