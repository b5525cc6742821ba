"""A term of the glossary is linked where it first stands in a page in the new form, and only there."""

import re

from docutils import nodes
from docutils.core import publish_doctree
from myst_parser.parsers.docutils_ import Parser

from book.cells import head
from book.directives import form
from book.site import glossary

ENTRIES = [
    (["gradient"], "g#gradient", "Where it falls."),
    (["gradient clipping"], "g#clipping", ""),
    (["Adam"], "g#adam", ""),
    (["L2", "L2 penalty", "ridge"], "g#l2", ""),
    (["batch"], "g#batch", ""),
    (["divergence (of a run)"], "g#divergence", ""),
]


def read(text):
    settings = {"myst_enable_extensions": ["dollarmath"], "report_level": 5}
    return publish_doctree(text, parser=Parser(), settings_overrides=settings)


def linked(text, entries=ENTRIES):
    """What is linked in a text, with its address."""
    doctree = read(text)
    plain = doctree.astext()
    form.link_terms(doctree, entries)
    assert doctree.astext() == plain, "linking changes no word"
    found = [node for node in doctree.findall(nodes.reference) if "lmtune-term" in node["classes"]]
    return [(node.astext(), node["refuri"]) for node in found]


def test_the_first_place_is_linked_and_no_other():
    assert linked("The gradient here.\n\nA gradient there; gradient again.") == [("gradient", "g#gradient")]
    assert linked("An L2 penalty is a ridge.") == [("L2 penalty", "g#l2")], "synonyms share an entry"


def test_the_longer_term_wins_and_may_go_over_two_lines():
    assert linked("With gradient\nclipping the gradient is short.") == [
        ("gradient\nclipping", "g#clipping"),
        ("gradient", "g#gradient"),
    ]


def test_plurals_and_capitals_at_the_beginning_are_found_and_parts_of_words_are_not():
    assert linked("Gradients, batches and a divergence.") == [
        ("Gradients", "g#gradient"),
        ("batches", "g#batch"),
        ("divergence", "g#divergence"),
    ]
    assert linked("AdamW, adam, mini-batch, batch-size, batchwise") == []
    assert linked("*Adam* and **batch**") == [("Adam", "g#adam"), ("batch", "g#batch")]


def test_headings_code_links_mathematics_and_folds_are_left_alone():
    fold = "<details>\n<summary>Adam</summary>\n\nAdam.\n\n</details>"
    top = f"{head.MARK}\n<div>\n\n- a batch\n\n</div>\n</div>"
    text = f"# Gradient\n\n{top}\n\n`Adam` $batch$ [L2](https://example.org)\n\n```python\nbatch\n```\n\n{fold}\n\n"
    assert linked(text) == []
    assert linked(text + "Adam and a batch.") == [("Adam", "g#adam"), ("batch", "g#batch")]


def test_a_link_says_the_first_sentence():
    doctree = read("The gradient. The batch.")
    form.link_terms(doctree, ENTRIES)
    assert [node.get("reftitle") for node in doctree.findall(nodes.reference)] == ["Where it falls.", None]


def test_the_short_path_leads_to_its_sections():
    doctree = read("# Title\n\nShort path, 2 min: *Ten `x` lines*, *Why*\n\n## Why\n\nA\n\n## Ten `x` lines\n\nB")
    form.link_short_path(doctree)
    assert [(node.astext(), node["refid"]) for node in doctree.findall(nodes.reference)] == [
        ("Ten x lines", "ten-x-lines"),
        ("Why", "why"),
    ]


def test_only_a_page_with_a_head_is_in_the_new_form():
    assert form.in_new_form(read(f"# T\n\n{head.MARK}\n\n</div>"))
    assert not form.in_new_form(read("# T\n\nThe gradient.\n\n<div>\n\n</div>"))


def test_what_the_glossary_says_first_is_plain_text():
    text = "```{glossary}\na term\nanother\n  What {term}`it is <that>` and `this`, with $x$. More.\n\nb\n  So $\\eta$. More.\n```\n"
    assert glossary.entries(text) == [(["a term", "another"], "What it is and this, with x."), (["b"], "")]
    assert not [said for _, said in glossary.entries() if re.search(r"[`{}<>$\\*]", said)]
