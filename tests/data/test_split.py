"""One split for all tasks, and no near-duplicate across it."""

from collections import Counter

import numpy as np

from lmtune.data.docstrings import Document
from lmtune.data.split import containment, part_of, repeating, shingles, split


def documents(n, text=lambda i: " ".join(f"w{i}x{j}" for j in range(12))):
    return [Document("p", f"p.name{i}", text(i)) for i in range(n)]


def test_the_parts_are_80_10_10_and_depend_on_the_name_alone():
    sizes = Counter(part_of(d) for d in documents(5000))
    assert abs(sizes["train"] - 4000) < 120 and abs(sizes["test"] - 500) < 80
    first = Document("p", "p.a", "one text")
    assert part_of(first) == part_of(Document("p", "p.a", "another"))
    # The split is a promise to every reader: these four never change.
    assert [
        part_of(Document("networkx", f"networkx.{n}", "")) for n in ("Graph", "DiGraph", "algorithms.core", "convert")
    ] == ["train", "validation", "train", "train"]


def test_a_text_that_repeats_a_test_document_leaves_train():
    rows = documents(60)
    test = next(d for d in rows if part_of(d) == "test")
    train = [d for d in rows if part_of(d) == "train"]
    near = train[0]._replace(text=test.text + " and three more")
    longer = train[1]._replace(text=test.text + " " + " ".join(f"z{j}" for j in range(80)))
    rows = [near if d == train[0] else longer if d == train[1] else d for d in rows]
    kept = split(rows).train
    assert near not in kept and longer not in kept and len(kept) == len(train) - 2


def test_shingles_and_containment():
    assert len(shingles("one two")) == 1
    assert len(shingles("a b c d e f")) == 2
    assert len(shingles("a b c d e a b c d e")) == 5
    corpus = np.unique(np.concatenate([shingles("a b c d e f g"), shingles("q r s t u")]))
    assert containment("a b c d e f g", corpus) == 1.0
    assert containment("a b c d e x", corpus) == 0.5
    assert containment("nothing of this stands anywhere", corpus) == 0.0


def test_short_texts_are_compared_whole():
    assert repeating(["one two"], ["one two"]) == [True]
    assert repeating(["one two"], ["two one"]) == [False]
