"""Augmentation: total on every text, faithful to code, the same for the same seed."""

import random
import re
from types import SimpleNamespace

import pytest

from lmtune.data import augmentation as aug
from lmtune.data.prose import clusters, is_code, prose, words
from lmtune.models.encoder import load_encoder
from lmtune.models.loading import load

SENSES = {"quick": [["fast"]], "river": [["stream", "brook"]], "bank": [["lender"], ["shore"]], "alone": [[]]}
EVERY = {
    "swap": lambda t, seed=0: aug.swap_characters(t, 1.0, seed),
    "noise": lambda t, seed=0: aug.add_noise(t, 1.0, seed),
    "drop": lambda t, seed=0: aug.drop_words(t, 1.0, seed, keep=frozenset()),
    "half": lambda t, seed=0: aug.drop_words(t, 0.5, seed),
    "synonyms": lambda t, seed=0: aug.replace_synonyms(t, lambda w: [[w + "x"]], 1.0, seed),
    "rewritten": lambda t, seed=0: aug.rewritten(t, lambda s: s.upper()),
}
each = pytest.mark.parametrize("change", EVERY.values(), ids=EVERY)
CODE = [
    "def f(x):\n    return x + 1\n",
    "def f(x):\n\n    total = 0\n\n    return total\n",
    "import numpy as np",
    ">>> print(graph)\nGraph named nothing\n",
    "for (int i = 0; i < n; i++) {\n  total += i;\n}\n",
    "SELECT name FROM people WHERE age > 3;",
    "$ pip install something\n",
    "git commit --message words",
    "<div>some words here</div>",
    "x = 1",
    "print(value)",
    "lambda value: value",
]


@each
@pytest.mark.parametrize(
    "text", ["", " ", "\n\n", "🎉", "👩‍👩‍👧‍👦 ❤️", "...", "12 34", "日本語の文章です", "a_b c3 x.y"]
)
def test_a_text_without_words_comes_back_as_it_was(change, text):
    assert change(text) == text


@each
@pytest.mark.parametrize("text", ["word", "Graph", "שלום", "é", "مَرْحَبًا", "word🎉", "don't stop", "שלום עולם, זה משפט"])
def test_one_word_and_right_to_left_text_are_never_emptied(change, text):
    for seed in range(20):
        made = change(text, seed)
        assert made.strip() and "\ufffd" not in made


@each
@pytest.mark.parametrize("code", CODE)
def test_code_comes_out_unchanged(change, code):
    assert change(code) == code


def test_code_is_told_from_prose():
    assert all(map(is_code, [c for c in CODE if not c.startswith(">>>")]))


@each
def test_code_inside_prose_comes_out_unchanged(change):
    text = (
        "See `graph_of(x)` and ``other words`` at https://some.where/path here.\n\nExample::\n\n    indented words\n"
        "    and more words\n\nProse again.\n\n>>> print(words)\nexpected output words\n\n```python\nfenced words\n"
        "```\n\nLast words follow.\n"
    )
    for seed in range(10):
        made = change(text, seed)
        for span in (
            "`graph_of(x)`",
            "``other words``",
            "https://some.where/path",
            "    indented words\n    and more words",
            ">>> print(words)\nexpected output words\n",
            "```python\nfenced words\n```\n",
        ):
            assert span in made
    if change is not EVERY["rewritten"]:
        assert change(text) != text


def test_prose_is_found_where_it_stands():
    text = "First line.\n    >>> code()\n    out\n\n  Indented prose\n"
    assert [text[a:b] for a, b in prose(text)] == ["First line.", "Indented prose"]
    text = "(Two words), not x_1 or `three` 4 five-six don't."
    assert [text[a:b] for a, b in words(text)] == ["Two", "words", "not", "or"]
    text = "A #tag, @user (here) c3 /path word."
    assert [text[a:b] for a, b in words(text)] == ["A", "here", "word"]
    assert not is_code("This is prose, and more of it.") and not is_code("")


def test_letters_stay_with_their_marks():
    word = "e\u0301te\u0301s"  # with combining accents
    assert clusters(word) == ["e\u0301", "t", "e\u0301", "s"]
    for seed in range(20):
        assert "".join(sorted(clusters(aug.swap_characters(word, 1.0, seed)))) == "".join(sorted(clusters(word)))
    assert clusters("می\u200cروم")[1] == "\u06cc\u200c\u0631"


def test_swapping_exchanges_two_neighbours_and_leaves_the_first():
    for seed in range(30):
        made = aug.swap_characters("abcdef", 1.0, seed)
        at = [i for i in range(6) if made[i] != "abcdef"[i]]
        assert len(at) == 2 and at[1] == at[0] + 1 and at[0] >= 1
        assert made[at[0]] == "abcdef"[at[1]] and made[at[1]] == "abcdef"[at[0]]
    assert aug.swap_characters("the cat", 1.0) == "the cat"


def test_noise_deletes_doubles_or_replaces_one_letter():
    lengths = {len(aug.add_noise("abcdef", 1.0, seed)) for seed in range(60)}
    assert lengths == {5, 6, 7}
    assert all(aug.add_noise("abcdef", 1.0, seed)[0] == "a" for seed in range(60))
    assert all(set(aug.add_noise("abcdef", 1.0, seed)) <= set("abcdef") for seed in range(60))


def test_dropping_keeps_negations_blanks_and_indentation():
    assert aug.drop_words("It is Not here, or there.", 1.0) == "Not,."
    text = "    one two three\n  four five.\n"
    made = aug.drop_words(text, 0.4, seed=2)
    assert made != text and "  " not in made.strip().replace("\n  ", "\n") and made.startswith("    ")
    for seed in range(30):
        left = re.findall(r"\w+", aug.drop_words(text, 0.5, seed))
        assert [w for w in re.findall(r"\w+", text) if w in left] == left  # the order stays
    assert aug.drop_words("all words go", 1.0).strip() == "all"


@pytest.mark.parametrize("change", [aug.swap_characters, aug.add_noise, aug.drop_words])
def test_the_rate_is_the_share_of_words_and_the_seed_decides(change):
    text = " ".join(["abcdefgh"] * 2000)
    assert change(text, 0.0) == text
    assert change(text, 0.3, seed=1) == change(text, 0.3, seed=1) != change(text, 0.3, seed=2)
    whole = change(text, 0.3).split().count("abcdefgh")
    assert 1300 < whole < 1500
    state = random.getstate()
    change(text, 0.3)
    assert random.getstate() == state


def test_synonyms_replace_words_of_one_sense_alone():
    made = aug.replace_synonyms("The QUICK Quick river bank alone", SENSES.get, 1.0)
    assert made in ("The FAST Fast stream bank alone", "The FAST Fast brook bank alone")
    assert {aug.replace_synonyms("river", SENSES.get, 1.0, s) for s in range(20)} == {"stream", "brook"}


def test_rewritten_passes_prose_through_and_back():
    german = {"Good day.": "Guten Tag.", "Thanks.": "Danke."}
    english = {"Guten Tag.": "Hello.", "Danke.": "Thank you."}
    text = "Good day.\n\n>>> f(1)\n2\n\n  Thanks.\n"
    assert aug.rewritten(text, german.get, english.get) == "Hello.\n\n>>> f(1)\n2\n\n  Thank you.\n"
    assert aug.rewritten("Use `Code` here.", str.upper) == "Use `Code` here."  # the code would be lost
    assert aug.rewritten("Good day.", lambda s: "") == "Good day."
    assert aug.rewritten(text) == text
    with pytest.raises(TypeError, match="returned a NoneType"):
        aug.rewritten("unknown", german.get)


def test_neighbours_are_whole_words_that_are_near():
    senses = aug.neighbour_senses(*load("pocket-mini"), count=2, least=-1.0)
    (found,) = senses("graph")
    assert senses("maximum")[0][0] == "minimum"
    assert len(found) == 2 and "graph" not in found and all(w.isalpha() for w in found)
    assert senses("notatokenatall") == [] and senses("") == []
    model, tokenizer = load("pocket-mini")
    assert aug.neighbour_senses(model, tokenizer, least=1.1)("graph") == [[]]


def test_neighbours_in_the_encoder_are_whole_words_without_the_marks_of_its_pieces():
    senses = aug.neighbour_senses(*load_encoder())
    assert "graphs" in senses("graph")[0]
    assert all(word.isalpha() and len(word) >= 4 for word in senses("false")[0])


def test_neighbours_of_a_tokenizer_without_words_are_refused():
    model, tokenizer = load("pocket-mini")
    tokenizer.convert_ids_to_tokens = lambda ids: ["a"] * len(ids)
    with pytest.raises(ValueError, match="marks the beginning of words"):
        aug.neighbour_senses(model, tokenizer)


# Ten synsets of our own: (offset filled in below) lexical file, kind, words, pointer to another word of the same set.
SYNSETS = {
    "noun": [
        ("bank", "shore"),
        ("bank", "lender"),
        ("river", "stream"),
        ("graph", "chart"),
        ("graph", "network"),
        ("boat", "small_boat", "dinghy"),
    ],
    "verb": [("run", "sprint"), ("buy", "purchase")],
    "adj": [("quick", "fast")],
    "adv": [("quickly",)],
}
KINDS = {"noun": "n", "verb": "v", "adj": "a", "adv": "r"}


@pytest.fixture
def wordnet(tmp_path, monkeypatch):
    """Those synsets written in the format of WordNet's database files (wndb(5WN))."""
    reader = pytest.importorskip("nltk.corpus.reader.wordnet")
    import nltk

    monkeypatch.setattr(nltk.data, "path", [str(tmp_path)])  # nltk reads only below its own folders
    for part, synsets in SYNSETS.items():
        data, index = "  1 In the form of WordNet 3.0 Copyright none\n", {}
        for group in synsets:
            offset = len(data)
            frames = " 01 + 01 00" if part == "verb" else ""
            data += (
                f"{offset:08d} 03 {KINDS[part]} {len(group):02x} "
                + " ".join(f"{w} 0" for w in group)
                + f" 000{frames} | of our own\n"
            )
            for word in group:
                index.setdefault(word, []).append(offset)
        (tmp_path / f"data.{part}").write_text(data)
        (tmp_path / f"index.{part}").write_text(
            "".join(
                f"{w} {KINDS[part]} {len(at)} 0 {len(at)} 0 {' '.join(f'{o:08d}' for o in at)}\n"
                for w, at in sorted(index.items())
            )
        )
        (tmp_path / f"{part}.exc").write_text("")
    (tmp_path / "lexnames").write_text("".join(f"{i:02d}\tnoun.ours\t1\n" for i in range(45)))
    (tmp_path / "cntlist.rev").write_text("")
    # It would look up the numbers of another version of WordNet, which these are not.
    monkeypatch.setattr(reader.WordNetCorpusReader, "map_wn", lambda self, version="wordnet": None)
    return reader.WordNetCorpusReader(str(tmp_path), None)


@pytest.mark.filterwarnings("ignore:The multilingual functions")
def test_wordnet_through_nltk(wordnet):
    assert sum(map(len, SYNSETS.values())) == 10
    senses = aug.wordnet_senses(wordnet)
    assert senses("bank") == [["bank", "shore"], ["bank", "lender"]] and senses("nothing") == []
    assert senses("boat") == [["boat", "dinghy"]]  # names of several words are left out
    made = aug.replace_synonyms("The quick boat on the river bank has a graph quickly", senses, 1.0)
    assert made == "The fast dinghy on the stream bank has a graph quickly"


def test_missing_wordnet_says_the_remedy(monkeypatch):
    import nltk

    monkeypatch.setattr(nltk.data, "path", [])
    import nltk.corpus

    def missing():
        raise LookupError("Resource wordnet not found")

    monkeypatch.setattr(nltk.corpus, "wordnet", SimpleNamespace(ensure_loaded=missing))
    with pytest.raises(LookupError, match="nltk.downloader wordnet"):
        aug.wordnet_senses()


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), "0.1", None, True])
def test_a_wrong_rate_is_refused(rate):
    for change in (aug.swap_characters, aug.add_noise, aug.drop_words):
        with pytest.raises(ValueError, match="from 0 to 1"):
            change("text", rate)


def test_what_is_no_text_is_refused():
    for change in (aug.swap_characters, aug.add_noise, aug.drop_words, aug.rewritten):
        with pytest.raises(TypeError, match="give one str"):
            change(["text"])
