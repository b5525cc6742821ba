"""What stands in a row is one text: coded together, with its two special tokens once, and its characters counted."""

import math

import pytest
import torch

import lmtune
from lmtune.data.kinds import IGNORED
from lmtune.data.special_tokens import end_of_text, start_of_text
from tests.tiny import tiny_gpt2, tokenizer_like_llamas, tokenizer_of_letters, tokenizer_with_a_blank_before

MAKERS = [tokenizer_like_llamas, tokenizer_with_a_blank_before]
PAIRS = [
    ("2+2=", "4"),
    ("the sum", " of two"),
    ("the sum of", "fsets"),
    ("", "4"),
    ("a list: ", "the names"),
    ("é", "é 4"),
    ("a\n\n", "4"),
]


def border(row):
    return next(i for i, label in enumerate(row["labels"]) if label != IGNORED)


@pytest.mark.parametrize("make", MAKERS)
@pytest.mark.parametrize("prompt, completion", PAIRS)
def test_row_32_a_row_decodes_to_prompt_and_completion(make, prompt, completion):
    tokenizer = make()
    row = lmtune.pairs([prompt], [completion], tokenizer, 64)[0]
    assert tokenizer.decode(row["input_ids"][1:-1]).removeprefix(" ") == prompt + completion
    assert row["labels"][border(row) :] == row["input_ids"][border(row) :]
    learned = tokenizer.decode(row["input_ids"][border(row) : -1])
    assert completion.strip() in learned and row["characters"] == len(completion)


@pytest.mark.parametrize("make", [*MAKERS, None])
def test_row_32_a_row_begins_with_the_ids_that_the_prompt_has_alone(make, tiny_tokenizer):
    tokenizer = make() if make else tiny_tokenizer
    for prompt, completion in [("2+2=", "4"), ("the sum", " of two"), ("the n", "umbers"), ("a\n\n", "4")]:
        row = lmtune.pairs([prompt], [completion], tokenizer, 64)[0]
        alone = tokenizer(prompt, add_special_tokens=False)["input_ids"]
        assert row["input_ids"][1 : 1 + len(alone)] == alone and border(row) == 1 + len(alone), (prompt, completion)


@pytest.mark.parametrize("make", MAKERS)
def test_row_32_answers_that_were_trained_come_back(make):
    tokenizer = make()
    torch.manual_seed(0)
    model = tiny_gpt2(vocab=len(tokenizer), n_positions=64).float()
    prompts, completions = [f"{a}+{b}=" for a in range(3) for b in range(3)], [str(a) for a in range(9)]
    rows = lmtune.pairs(prompts, completions, tokenizer, 64)
    lmtune.fit(model, rows, steps=400, batch_size=9, lr=5e-3, progress=False)
    written = [lmtune.generate(model, tokenizer, p, max_new_tokens=4) for p in prompts]
    assert [w.strip() for w in written] == [p + c for p, c in zip(prompts, completions)]


def test_row_47_of_a_book_before_a_short_context_the_end_alone_is_coded(tiny_tokenizer):
    class Counted:
        def __init__(self, tokenizer):
            self.tokenizer, self.longest = tokenizer, 0

        def __getattr__(self, name):
            return getattr(self.tokenizer, name)

        def __call__(self, texts, **settings):
            self.longest = max(self.longest, *(len(text) for text in texts))
            return self.tokenizer(texts, **settings)

    book, counted = "the sum of two numbers " * 50_000, Counted(tiny_tokenizer)
    row = lmtune.pairs([book], ["a list"], counted, 32)[0]
    assert row == lmtune.pairs([book[-2000:]], ["a list"], tiny_tokenizer, 32)[0] and len(row["input_ids"]) == 32
    lmtune.labelled([book], [0], counted, 32)
    assert counted.longest < 10_000


def test_row_33_the_tokens_that_begin_and_end_a_text_stand_once():
    tokenizer = tokenizer_like_llamas()
    plain = lmtune.pairs(["the sum"], [" of two"], tokenizer, 64)
    assert lmtune.pairs(["<s>the sum"], [" of two</s>"], tokenizer, 64) == plain
    assert lmtune.windows(["<s>the sum</s>"], tokenizer, 64) == lmtune.windows(["the sum"], tokenizer, 64)
    for row in (*plain, *lmtune.windows(["<s>the sum</s>"], tokenizer, 64)):
        assert row["input_ids"].count(start_of_text(tokenizer)) == row["input_ids"].count(end_of_text(tokenizer)) == 1
    classes = [lmtune.labelled([text], [0], tokenizer, 64)[0] for text in ("<s>the sum", "the sum")]
    assert classes[0]["input_ids"] == classes[1]["input_ids"]
    model = tiny_gpt2(vocab=len(tokenizer)).float()
    one, other = (lmtune.generate(model, tokenizer, p, max_new_tokens=5) for p in ("the sum", "<s>the sum"))
    assert one == other.removeprefix("<s>")


def test_row_33_where_one_token_begins_and_ends_a_text_it_stands_at_both_places(tiny_tokenizer):
    row = lmtune.windows(["<|endoftext|>the sum<|endoftext|>"], tiny_tokenizer, 32)[0]
    assert row == lmtune.windows(["the sum"], tiny_tokenizer, 32)[0] and row["input_ids"].count(0) == 2


def test_row_39_characters_without_a_token_are_not_counted():
    tokenizer = tokenizer_of_letters("ACGT")
    known, mixed = lmtune.windows(["ACGTAC"], tokenizer, 8), lmtune.windows(["ACnnGT\nxyAC"], tokenizer, 8)
    assert known == mixed and known[0]["characters"] == 6
    model = tiny_gpt2(vocab=5)
    bits = [lmtune.evaluate(model, rows).bits_per_character for rows in (known, mixed)]
    assert bits[0] == bits[1] == pytest.approx(lmtune.evaluate(model, known).loss * 7 / math.log(2) / 6)
    assert lmtune.pairs(["Ax"], ["yCzG"], tokenizer, 8)[0]["characters"] == 2


def test_row_39_over_windows_the_counts_add_up():
    tokenizer = tokenizer_of_letters("ACGT")
    text = "ACxGTyyA" * 9 + "z"
    for context, overlap in ((5, 0), (7, 3), (64, 0)):
        rows = lmtune.windows([text], tokenizer, context, overlap)
        assert sum(row["characters"] for row in rows) == sum(letter in "ACGT" for letter in text)


def test_row_39_a_token_for_the_unknown_spells_nothing():
    tokenizer = tokenizer_of_letters("ACGT?")
    tokenizer.backend_tokenizer.model.unk_token = "?"
    tokenizer.unk_token = "?"
    row = lmtune.windows(["ACnGT"], tokenizer, 16)[0]
    assert len(row["input_ids"]) == 7 and row["characters"] == 4


def test_row_39_where_every_byte_has_a_token_every_character_counts(tiny_tokenizer):
    text = "naïve, 数 and\ttabs  "
    for tokenizer in (tiny_tokenizer, tokenizer_like_llamas(), tokenizer_with_a_blank_before()):
        assert sum(row["characters"] for row in lmtune.windows([text], tokenizer, 16)) == len(text)


HALF = "x \ud83d"


@pytest.mark.parametrize(
    "call",
    [
        lambda tokenizer: lmtune.windows(["fine", HALF], tokenizer),
        lambda tokenizer: lmtune.pairs(["a", "b"], ["fine", HALF], tokenizer),
        lambda tokenizer: lmtune.labelled(["fine", HALF], [0, 1], tokenizer),
        lambda tokenizer: lmtune.add_tokens(tiny_gpt2(vocab=300), tokenizer, ["digraph", HALF]),
    ],
)
def test_row_46_half_a_pair_of_surrogates_is_named(call, tiny_tokenizer):
    with pytest.raises(ValueError, match=r"number 1 is no text that Unicode can store: character 2 is"):
        call(tiny_tokenizer)


def test_row_46_so_is_a_prompt_of_bytes_that_are_no_utf8(tiny_tokenizer):
    prompt = b"caf\xe9".decode("utf-8", "surrogateescape")  # as Python reads such an argument of the command line
    with pytest.raises(ValueError, match="The prompt is no text that Unicode can store"):
        lmtune.generate(tiny_gpt2(vocab=300), tiny_tokenizer, prompt)
