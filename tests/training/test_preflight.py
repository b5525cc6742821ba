"""Bad input: one sentence that says what was given and the remedy, before anything is changed."""

import pytest
import torch

import lmtune
from lmtune.data.kinds import IGNORED
from lmtune.training.loop import fit
from tests.tiny import ragged_examples, tiny_gpt2

GOOD = ragged_examples([5])[0]


def example(ids, labels):
    return {"input_ids": ids, "labels": labels, "characters": 3}


@pytest.mark.parametrize(
    "wrong, kind, words",
    [
        (example(torch.tensor([1, 2]), torch.tensor([1, 2])), TypeError, "a list of token ids belongs"),
        (example([1, 2], torch.tensor([1, 2])), TypeError, "a list with a label for each token"),
        (example(torch.tensor([1, 2]), [1, 2]), TypeError, "a list of token ids belongs"),
        (example([], []), TypeError, "a list of token ids belongs"),
        (example([1, 2.5], [1, 2]), TypeError, "a list of token ids belongs"),
        (example([1, 2, 3], [1]), ValueError, "a label for each token"),
        (example([1, -2], [1, 2]), ValueError, "no id below 0"),
        (example([1, 2], [1, -2]), ValueError, "no id below 0"),
        (example([1, 2], [1, 50]), ValueError, "token id 50"),
        (example([1, 50], [1, IGNORED]), ValueError, "token id 50"),
        (example([1], 1), TypeError, "of the other kind"),
        ({"input_ids": [1, 2], "labels": [1, 2]}, TypeError, "not a dict of input_ids, labels and characters"),
        ("a text", TypeError, "lmtune.windows"),
        (example([1], -1), TypeError, "a class, a whole number from 0"),
        (example([1], 0.5), TypeError, "a class, a whole number from 0"),
        ({**example([1, 2], [1, 2]), "documents": [1]}, ValueError, "lmtune.pack"),
    ],
)
def test_a_malformed_example_is_named(wrong, kind, words):
    for train, validation in (([GOOD, wrong], None), ([GOOD], [*ragged_examples([4], seed=1), wrong])):
        with pytest.raises(kind, match=words) as refusal:
            fit(tiny_gpt2(), train, steps=1, validation=validation)
        assert "Example number 1 has" in str(refusal.value) or "Example number 1 is" in str(refusal.value)


def test_what_is_no_model_is_refused():
    with pytest.raises(TypeError, match="lmtune.load"):
        fit("pocket", [GOOD], steps=1)


@pytest.mark.parametrize("texts", [[], [""], ["", ""]])
def test_texts_without_a_character_are_refused(tiny_tokenizer, texts):
    with pytest.raises(ValueError, match="were the texts empty|every text is empty"):
        fit(tiny_gpt2(300), lmtune.windows(texts, tiny_tokenizer), steps=1)


def test_a_text_shorter_than_the_context_and_an_empty_one_among_others_are_fine(tiny_tokenizer):
    history = fit(tiny_gpt2(300), lmtune.windows(["", "a", "the sum"], tiny_tokenizer), steps=2)
    assert len(history.steps) == 2


def test_a_tokenizer_without_a_pad_token_is_fine(tiny_tokenizer):
    import copy

    tokenizer = copy.deepcopy(tiny_tokenizer)
    tokenizer.pad_token = None
    model = tiny_gpt2(300)
    assert model.config.pad_token_id is None
    fit(model, lmtune.windows(["a", "the sum of two"], tokenizer), steps=1)
    head = lmtune.classifier(tiny_gpt2(300), 2).double()
    fit(head, lmtune.labelled(["a", "the sum of two"], [0, 1], tokenizer), steps=1, loss=lmtune.classification_loss)


def test_a_frozen_model_is_refused():
    model = tiny_gpt2().requires_grad_(False)
    with pytest.raises(ValueError, match="set requires_grad on some"):
        fit(model, [GOOD], steps=1)


@pytest.mark.parametrize("validation", [(e for e in [GOOD]), GOOD, "a text"])
def test_validation_that_is_no_list_is_refused(validation):
    with pytest.raises(TypeError, match="The validation examples are a"):
        fit(tiny_gpt2(), ragged_examples([4], seed=1), steps=1, validation=validation)


def test_a_loss_for_the_other_kind_of_model_is_refused():
    with pytest.raises(TypeError, match="needs a classifier"):
        fit(tiny_gpt2(), [GOOD], steps=1, loss=lmtune.classification_loss)
    with pytest.raises(ValueError, match="share one tokenizer"):
        fit(tiny_gpt2(), [GOOD], steps=1, loss=lmtune.distilled(tiny_gpt2(60)))


def test_a_plateau_without_validation_is_refused():
    from lmtune.optim.schedules import Plateau

    with pytest.raises(ValueError, match="plateau of the validation loss"):
        fit(tiny_gpt2(), [GOOD], steps=1, schedule=Plateau(), evaluate_every=1)


@pytest.mark.parametrize("folder", [5, ["run"]])
def test_a_folder_that_is_no_path_is_refused(folder):
    with pytest.raises(TypeError, match="the path of a folder"):
        fit(tiny_gpt2(), [GOOD], steps=1, folder=folder)


def test_the_range_test_sets_its_rates_itself():
    with pytest.raises(ValueError, match="sets lr itself"):
        lmtune.range_test(tiny_gpt2(), [GOOD], lr=0.1)
