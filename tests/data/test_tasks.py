"""The docs tasks: masks that hide the answer, summaries that are there."""

import pytest

from lmtune.data import docstrings, tasks


@pytest.fixture(scope="module")
def networkx_texts():
    return tasks.language_modelling("networkx")


def test_language_modelling_has_three_disjoint_parts(networkx_texts):
    train, validation, test = networkx_texts
    assert len(train) > 900 and len(validation) > 100 and len(test) > 100
    assert not set(train) & set(validation + test) and not set(validation) & set(test)


@pytest.mark.parametrize(
    "text, masked",
    [
        ("import numpy as np", "import library as library"),
        (">>> G = nx.Graph(); plt.plot(x)", ">>> G = library.Graph(); library.plot(x)"),
        ("NetworkX and scikit-learn, PyTorch", "library and library, library"),
        ("the input, an index, npoints and max_np2", "the input, an index, npoints and max_np2"),
        ("scipy.sparse", "library.sparse"),
        ("`torch`", "`library`"),
        ("np.int64", "library.int64"),
    ],
)
def test_names_are_masked_in_prose_and_code(text, masked):
    assert tasks.mask_names(text) == masked


def test_no_name_of_a_class_is_left_in_the_classification_task():
    parts = tasks.classification(("networkx", "matplotlib"))
    words = ("networkx", "matplotlib", "pyplot")
    for part in parts:
        assert {r.label for r in part} == {0, 1}
        for row in part:
            for word in words:
                at = row.text.lower().find(word)
                if at >= 0:  # only inside a longer word, such as a test's function name
                    around = row.text.lower()[max(0, at - 1) : at + len(word) + 1]
                    assert len(around.strip()) > len(word), row.text[max(0, at - 30) : at + 30]
    with pytest.raises(ValueError, match="at least two"):
        tasks.classification("networkx")


def test_a_summary_is_the_first_line():
    text = "Return the shortest path.\n\n" + "word " * 30
    assert tasks.summary_of(text).summary == "Return the shortest path."
    assert tasks.summary_of("Two\nlines.\n\n" + "word " * 30) is None
    assert tasks.summary_of("Return the shortest path.") is None
    assert tasks.summary_of("Return the shortest path.\n\nToo little.") is None
    assert len(tasks.summarization("networkx").train) > 400


def test_one_split_serves_all_tasks(networkx_texts):
    rest = {s.text for s in tasks.summarization("networkx").test}
    assert all(any(t.endswith(r) for t in networkx_texts.test) for r in list(rest)[:20])
    names = {d.text: d for d in docstrings.extract("networkx")}
    assert all(names[t].package == "networkx" for t in networkx_texts.test)
