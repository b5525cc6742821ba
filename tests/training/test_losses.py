"""Losses compose as (sum, count): each term by its formula, and exact under accumulation."""

import pytest
import torch.nn.functional as F

from lmtune.data.batches import collate
from lmtune.data.kinds import IGNORED
from lmtune.models.classifier import classifier
from lmtune.training.evaluation import evaluate
from lmtune.training.loop import fit
from lmtune.training.losses import distilled, next_token_loss, penalized, smoothed
from tests.tiny import largest_difference, ragged_examples, sgd_step, tiny_gpt2


def teacher():
    return tiny_gpt2(n_embd=8, n_head=1)


EXTRAS = {
    "smoothing": lambda: smoothed(0.1),
    "l1": lambda: penalized(next_token_loss, l1=1e-3),
    "l2": lambda: penalized(next_token_loss, l2=1e-2),
    "distillation": lambda: distilled(teacher()),
    "all": lambda: penalized(distilled(teacher(), weight=0.3), l1=1e-3, l2=1e-2),
}


@pytest.mark.parametrize("name", EXTRAS)
def test_row_04_added_terms_do_not_depend_on_the_cut_into_micro_batches(name):
    examples = ragged_examples([2, 9, 3, 12, 4, 7, 2, 5])
    examples[1]["labels"][2:6] = [IGNORED] * 4
    examples[6]["labels"] = [IGNORED] * 2
    whole = sgd_step(tiny_gpt2(), examples, steps=1, batch_size=8, loss=EXTRAS[name]())
    cut = sgd_step(tiny_gpt2(), examples, steps=1, batch_size=1, accumulate=8, loss=EXTRAS[name]())
    plain = sgd_step(tiny_gpt2(), examples, steps=1, batch_size=8)
    assert largest_difference(whole, cut) < 1e-12 < 1e-6 < largest_difference(whole, plain)


def parts():
    model, batch = tiny_gpt2(), collate(ragged_examples([6, 4]))
    logits = model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    keep = batch["labels"][:, 1:] != IGNORED
    return model, batch, logits[:, :-1][keep], batch["labels"][:, 1:][keep]


def test_smoothing_is_a_mixture_of_label_and_uniform():
    model, batch, logits, labels = parts()
    log_p = logits.log_softmax(-1)
    truth = -(0.8 * log_p.gather(1, labels[:, None]).squeeze(1) + 0.2 * log_p.mean(-1)).sum()
    total, count = smoothed(0.2)(model, batch)
    assert total.item() == pytest.approx(truth.item(), abs=1e-10) and count == len(labels)


def test_penalties_are_their_formulas_and_spare_vectors():
    model, batch, _, labels = parts()
    bare, _ = next_token_loss(model, batch)
    matrices = [p for p in model.parameters() if p.dim() >= 2]
    for settings, term in (
        ({"l1": 0.1}, sum(0.1 * p.abs().sum() for p in matrices)),
        ({"l2": 0.1}, sum(0.05 * (p * p).sum() for p in matrices)),
    ):
        total, count = penalized(next_token_loss, **settings)(model, batch)
        assert (total - bare).item() / len(labels) == pytest.approx(term.item(), rel=1e-9)


def test_distillation_is_its_formula_and_the_teacher_gets_no_gradient():
    model, batch, logits, labels = parts()
    other = teacher()
    states = other(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"]).logits
    q = (states[:, :-1][batch["labels"][:, 1:] != IGNORED] / 3).softmax(-1)
    divergence = (q * (q.log() - (logits / 3).log_softmax(-1))).sum()
    truth = 0.25 * F.cross_entropy(logits, labels, reduction="sum") + 0.75 * 9 * divergence
    total, count = distilled(other, weight=0.75, temperature=3.0)(model, batch)
    assert total.item() == pytest.approx(truth.item(), rel=1e-10) and count == len(labels)
    total.backward()
    assert all(p.grad is None for p in other.parameters())


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: smoothed(1.0),
        lambda: smoothed(-0.1),
        lambda: penalized(next_token_loss, l1=-1.0),
        lambda: penalized(next_token_loss, l2=float("nan")),
        lambda: distilled(None, weight=2.0),
        lambda: distilled(None, temperature=0.0),
    ],
)
def test_wrong_values_are_refused(wrong):
    with pytest.raises(ValueError, match="allowed"):
        wrong()


@pytest.mark.parametrize("name", EXTRAS)
def test_validation_measures_the_bare_loss(name):
    examples = ragged_examples([6, 4, 9])
    held_out = ragged_examples([6, 4, 9], seed=1)
    history = fit(tiny_gpt2(), examples, steps=1, loss=EXTRAS[name](), validation=held_out)
    assert history.evaluations[0].result.loss == pytest.approx(evaluate(tiny_gpt2(), held_out).loss, abs=1e-12)
    assert abs(history.losses[0] - evaluate(tiny_gpt2(), examples).loss) > 1e-6


@pytest.mark.parametrize("name", ["smoothing", "distillation"])
def test_a_classifier_is_refused_with_a_remedy(name):
    rows = [{"input_ids": [1, 2], "labels": 1, "characters": 1}]
    with pytest.raises(TypeError, match="loss=lmtune.classification_loss"):
        fit(classifier(tiny_gpt2(), 2), rows, steps=1, loss=EXTRAS[name]())
