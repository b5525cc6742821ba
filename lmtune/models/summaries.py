"""Summary lines: what the model is asked, what it writes, and a score for it."""

from __future__ import annotations

from collections.abc import Sequence

from lmtune.models.generation import generate

#: What stands between a document and its summary.
ASK = "\n\nSummary:"


def summary_prompt(text: str, tokenizer, tokens: int = 96) -> str:
    """The first ``tokens`` tokens of a document, as text, and :data:`ASK`.

    :func:`lmtune.pairs` would cut a long prompt at its beginning, where documentation says most.
    """
    ids = tokenizer(text, add_special_tokens=False, verbose=False)["input_ids"]
    return tokenizer.decode(ids[:tokens]).rstrip() + ASK


def write_summary(model, tokenizer, prompt: str, max_new_tokens: int = 24, **decoding) -> str:
    """One line that the model writes after ``prompt``; ``decoding`` as for :func:`lmtune.generate`."""
    text = generate(model, tokenizer, prompt, max_new_tokens=max_new_tokens, **decoding)
    return text[len(prompt) :].strip().split("\n")[0]


def rouge_l(references: Sequence[str], written: Sequence[str]) -> list[float]:
    """ROUGE-L of each pair, from 0 to 1: the longest common subsequence of words, as F1 (Lin 2004).

    By ``rouge-score``, without stemming: words are runs of letters and digits in lower case.
    """
    from rouge_score.rouge_scorer import RougeScorer

    if len(references) != len(written):
        raise ValueError(
            f"There are {len(references)} references and {len(written)} written lines; "
            "give one line for each reference."
        )
    scorer = RougeScorer(["rougeL"])
    return [scorer.score(a, b)["rougeL"].fmeasure for a, b in zip(references, written)]
