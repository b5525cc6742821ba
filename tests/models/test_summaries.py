"""Summary lines: the prompt, one written line, and ROUGE-L."""

import pytest

import lmtune
from lmtune.models.summaries import ASK, rouge_l, summary_prompt, write_summary


@pytest.fixture(scope="module")
def mini():
    return lmtune.load("pocket-mini")


def test_the_prompt_keeps_the_beginning(mini):
    tokenizer = mini[1]
    long = "Returns the shortest path. " * 50
    prompt = summary_prompt(long, tokenizer, tokens=10)
    assert prompt.endswith(ASK) and long.startswith(prompt.removesuffix(ASK))
    assert len(tokenizer(prompt.removesuffix(ASK))["input_ids"]) <= 10


def test_one_line_comes_back_without_the_prompt(mini):
    line = write_summary(*mini, summary_prompt("The nodes of a graph.", mini[1]))
    assert "\n" not in line and ASK.strip() not in line and line == line.strip()


def test_rouge_l_is_the_f1_of_the_longest_common_subsequence():
    # of 4 and 3 words two stand in order: precision 2/3, recall 2/4
    assert rouge_l(["the cat sat down"], ["the dog sat"]) == [pytest.approx(2 * (2 / 3) * 0.5 / (2 / 3 + 0.5))]
    assert rouge_l(["the graphs"], ["the graph"]) == [0.5]  # no stemming
    assert rouge_l(["a b"], ["b a"]) == [pytest.approx(0.5)] and rouge_l(["A b."], ["a b"]) == [1.0]
    with pytest.raises(ValueError, match="one line for each"):
        rouge_l(["a"], [])
