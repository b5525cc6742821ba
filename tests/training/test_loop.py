"""The loop's arithmetic, row by row of the checklist of bugs that known loops had."""

import math

import pytest
import torch
import torch.nn.functional as F

import lmtune
from lmtune.data.batches import collate, fetch
from lmtune.data.kinds import IGNORED
from lmtune.training.evaluation import evaluate
from lmtune.training.history import Evaluated, History, Step
from lmtune.training.loop import Config, fit, run
from lmtune.training.losses import next_token_loss
from lmtune.training.plan import windows_of_places
from tests.tiny import largest_difference, ragged_examples, sgd, sgd_step, tiny_gpt2, tiny_llama, true_gradients

BUILDERS = {"gpt2": tiny_gpt2, "llama": tiny_llama}


@pytest.mark.parametrize("name", BUILDERS)
def test_row_01_gradient_is_that_of_the_sum_over_shifted_labels(name):
    examples = ragged_examples([3, 5, 9, 2])
    truth = true_gradients(BUILDERS[name](), examples)
    moved = sgd_step(BUILDERS[name](), examples, steps=1, batch_size=4)
    assert largest_difference(truth, moved) < 1e-12


def test_row_02_micro_batches_equal_one_batch():
    examples = ragged_examples([2, 9, 3, 12, 4, 7, 2, 5])
    examples[1]["labels"][2:6] = [IGNORED] * 4
    whole = sgd_step(tiny_gpt2(), examples, steps=1, batch_size=8)
    cut = sgd_step(tiny_gpt2(), examples, steps=1, batch_size=2, accumulate=4)
    assert largest_difference(whole, cut) < 1e-12


def test_row_03_last_partial_window_counts_in_full():
    examples = ragged_examples([4, 6, 3, 8, 5])
    config = Config(epochs=1, batch_size=1, accumulate=4, seed=3)
    windows = [[fetch(examples, some) for some in window] for _, window in windows_of_places(len(examples), config)]
    assert [len(w) for w in windows] == [4, 1] and config.total_steps(5) == 2

    reference = tiny_gpt2()
    for window in windows:
        gradients = true_gradients(reference, [e for micro in window for e in micro])
        with torch.no_grad():
            for n, p in reference.named_parameters():
                p -= gradients[n]
    model = tiny_gpt2()
    sgd_step(model, examples, epochs=1, batch_size=1, accumulate=4, seed=3)
    difference = max((a - b).abs().max() for a, b in zip(reference.parameters(), model.parameters()))
    assert difference < 1e-12


def test_row_06_micro_batch_without_labels_is_finite_and_adds_nothing():
    kept = ragged_examples([5, 6])
    masked = ragged_examples([4, 4], seed=1)
    for e in masked:
        e["labels"] = [IGNORED] * 4
    total, count = next_token_loss(tiny_gpt2(), collate(masked))
    assert total.item() == 0.0 and count.item() == 0

    truth = true_gradients(tiny_gpt2(), kept)
    moved = sgd_step(tiny_gpt2(), kept + masked, steps=1, batch_size=1, accumulate=4)
    assert largest_difference(truth, moved) < 1e-12


class Bigrams(torch.nn.Module):
    """Knows for each token the only one that follows it."""

    def __init__(self, follower):
        super().__init__()
        self.table = torch.nn.Parameter(50.0 * F.one_hot(follower, len(follower)).double())

    def forward(self, input_ids, attention_mask):
        return type("Output", (), {"logits": self.table[input_ids]})


def test_row_07_a_model_that_knows_the_bigrams_has_no_loss():
    follower = (torch.arange(20) * 7 + 3) % 20
    row = [0]
    for _ in range(15):
        row.append(int(follower[row[-1]]))
    example = {"input_ids": row, "labels": row, "characters": 16}
    model = Bigrams(follower)
    assert evaluate(model, [example]).loss < 1e-12
    history = fit(model, [example], steps=1)
    assert history.losses[0] < 1e-12


def test_row_08_the_true_end_of_text_keeps_its_label(tiny_tokenizer):
    end = tiny_tokenizer.eos_token_id
    assert tiny_tokenizer.pad_token_id == end
    examples = lmtune.windows(["the sum", "a list of the names"], tiny_tokenizer)
    batch = collate(examples)
    for row, example in zip(batch["labels"].tolist(), examples):
        n = len(example["input_ids"])
        assert row[n - 1] == end and set(row[n:]) <= {IGNORED}


@pytest.mark.parametrize("batch_size", [1, 3, 4, 7])
def test_row_10_evaluation_is_the_same_at_every_batch_size(tiny_model, batch_size):
    examples = ragged_examples([3, 11, 2, 7, 5, 9, 4])
    truth = evaluate(tiny_model, examples, batch_size=2).loss
    per_label = []
    for e in examples:
        logits = tiny_model(input_ids=torch.tensor([e["input_ids"]])).logits[0, :-1]
        per_label += F.cross_entropy(logits, torch.tensor(e["labels"][1:]), reduction="none").tolist()
    assert truth == pytest.approx(sum(per_label) / len(per_label), abs=1e-12)
    assert evaluate(tiny_model, examples, batch_size=batch_size).loss == pytest.approx(truth, abs=1e-12)


def test_row_13_the_recorded_rates_follow_the_formula():
    history = fit(
        tiny_gpt2(),
        ragged_examples([5] * 6),
        steps=10,
        batch_size=2,
        accumulate=2,
        lr=0.01,
        warmup=4,
        schedule="linear",
    )
    expected = [0.01 * (s + 1) / 4 for s in range(4)] + [0.01 * (1 - s / 6) for s in range(6)]
    assert [s.lr for s in history.steps] == pytest.approx(expected, rel=1e-12)


def test_two_runs_with_one_seed_are_equal_and_another_seed_differs():
    def weights(seed):
        model = tiny_gpt2(resid_pdrop=0.2)
        fit(model, ragged_examples([5, 7, 3, 9, 4, 6]), steps=6, batch_size=2, seed=seed)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(1), weights(1))
    assert not torch.equal(weights(1), weights(2))


def test_row_23_training_flags_come_back():
    model = tiny_gpt2(resid_pdrop=0.5)
    model.eval()
    model.transformer.h[1].train()
    flags = [m.training for m in model.modules()]
    examples = ragged_examples([5, 7])
    evaluate(model, examples)
    assert [m.training for m in model.modules()] == flags
    fit(model, examples, steps=2, validation=ragged_examples([6], seed=1))
    assert [m.training for m in model.modules()] == flags


def test_dropout_is_off_in_evaluation_and_on_in_training():
    model = tiny_gpt2(resid_pdrop=0.5).train()
    examples = ragged_examples([9, 9])
    assert evaluate(model, examples) == evaluate(model, examples)
    seen = []
    model.transformer.h[0].register_forward_hook(lambda m, *_: seen.append(m.training))
    fit(model, examples, steps=1, validation=ragged_examples([9], seed=1))
    assert seen == [
        False,
        False,
        True,
        False,
    ]  # whether it reads later tokens, the first look, an update, the last look


def test_row_28_a_loss_that_is_not_finite_stops_and_leaves_the_weights():
    model = tiny_gpt2()
    calls = iter(range(100))

    def loss(m, batch):
        total, count = next_token_loss(m, batch)
        return total * (math.nan if next(calls) == 2 else 1.0), count

    states = []
    with pytest.raises(FloatingPointError, match="update number 3"):
        for _ in run(model, ragged_examples([5] * 4), Config(steps=5, batch_size=4), loss=loss):
            states.append([p.detach().clone() for p in model.parameters()])
    assert all(torch.equal(a, b) for a, b in zip(states[-1], model.parameters()))


@pytest.mark.parametrize("fused", [True, False])
@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_row_28_read_late_it_names_the_same_update_and_leaves_the_same_weights(fused, bad):
    """With log_every the loss is read after later updates; none of these may have moved a weight."""

    def not_finite_at(update):
        calls = iter(range(100))

        def loss(m, batch):
            total, count = next_token_loss(m, batch)
            return total * (bad if next(calls) == update else 1.0), count

        return loss

    def optimizer(model, config):
        return torch.optim.AdamW(model.parameters(), lr=config.lr, fused=fused)

    examples, settings = ragged_examples([5] * 4), dict(batch_size=4, schedule="constant", optimizer=optimizer)
    broken, good = tiny_gpt2(), tiny_gpt2()
    with pytest.raises(FloatingPointError, match="update number 3"):
        for _ in run(
            broken,
            examples,
            Config(steps=9, log_every=7, **settings),
            loss=not_finite_at(2),
            history=(told := History()),
        ):
            pass
    assert [s.step for s in told.steps] == [1, 2]
    fit(good, examples, steps=2, **settings)
    assert all(torch.equal(a, b) for a, b in zip(broken.parameters(), good.parameters()))


def test_how_often_the_log_is_read_changes_no_value_and_loses_no_event():
    def told(log_every):
        model = tiny_gpt2()
        examples = ragged_examples([5, 7, 3, 9])
        events = list(
            run(
                model,
                examples,
                Config(steps=7, batch_size=2, log_every=log_every, evaluate_every=3),
                ragged_examples([6], seed=1),
            )
        )
        return [e[:-1] if isinstance(e, Step) else e for e in events]

    assert told(1) == told(4) == told(100)


def test_nothing_is_read_from_the_device_between_two_readings_of_the_log(monkeypatch):
    """On a GPU each reading waits for it; here they are counted."""
    reads = []
    for name in ("item", "tolist", "__bool__", "__float__", "__int__", "cpu", "numpy"):

        def counted(tensor, *a, original=getattr(torch.Tensor, name), name=name, **k):  # noqa: B008
            caller = __import__("sys")._getframe(1).f_globals.get("__name__", "")
            if "lmtune" in caller and caller != "lmtune.training.probes":  # what is tried before the first update
                reads.append(name)
            return original(tensor, *a, **k)

        monkeypatch.setattr(torch.Tensor, name, counted)
    for _ in run(
        tiny_gpt2(), ragged_examples([5, 7]), Config(steps=20, batch_size=1, accumulate=2, log_every=10, ema=0.9)
    ):
        pass
    # 40 micro-batches lie behind; what remains are the two readings, and the data's own permutations.
    assert reads.count("tolist") == 2 + 20 and set(reads) == {"tolist"}


def test_row_18_weight_decay_leaves_vectors_alone_and_counts_tied_weights_once():
    model = tiny_gpt2()
    from lmtune.optim.optimizers import parameter_groups

    decayed, plain = parameter_groups(model, 0.1)
    assert decayed["weight_decay"] == 0.1 and plain["weight_decay"] == 0.0
    assert all(p.dim() >= 2 for p in decayed["params"]) and all(p.dim() < 2 for p in plain["params"])
    ids = [id(p) for g in (decayed, plain) for p in g["params"]]
    assert len(ids) == len(set(ids)) == len(list(model.parameters()))


def test_events_come_in_order():
    examples = ragged_examples([5] * 4)
    events = list(
        run(tiny_gpt2(), examples, Config(steps=4, batch_size=2, evaluate_every=2), ragged_examples([5], seed=1))
    )
    kinds = [("E" if isinstance(e, Evaluated) else "S") + str(e.step) for e in events]
    assert kinds == ["E0", "S1", "S2", "E2", "S3", "S4", "E4"]
    assert all(isinstance(e, (Step, Evaluated)) for e in events)


def test_classifier_learns_and_pools_the_last_real_position():
    model = lmtune.classifier(tiny_gpt2(), 2)
    model.double()
    rows = [{"input_ids": [k, 5, 6][:n], "labels": k - 2, "characters": 1} for k in (2, 3) for n in (1, 2, 3)]
    from lmtune.training.losses import classification_loss

    history = fit(model, rows, steps=60, lr=1e-2, loss=classification_loss)
    assert history.losses[-1] < 0.05
    right = collate([rows[0], rows[2]])
    alone = model(**{k: v for k, v in collate([rows[0]]).items() if k != "labels"})
    padded = model(input_ids=right["input_ids"], attention_mask=right["attention_mask"])
    assert torch.allclose(alone[0], padded[0], atol=1e-12)


@pytest.mark.parametrize(
    "settings, words",
    [
        (dict(lr=0.0), "lr is 0.0"),
        (dict(lr=-1e-3), "above 0"),
        (dict(lr=math.nan), "finite"),
        (dict(steps=0), "steps is 0"),
        (dict(steps=3, epochs=1), "only one"),
        (dict(schedule="cosin"), "'cosine'"),
        (dict(batch_size=2.5), "whole number"),
        (dict(accumulate=0), "accumulate"),
        (dict(clip=0.0), "None for no clipping"),
        (dict(betas=(0.9, 1.0)), "betas"),
        (dict(weight_decay=-1.0), "weight_decay"),
        (dict(warmup=99, steps=3), "at most 3"),
        (dict(accumulate=2), "smaller accumulate or batch_size"),
        (dict(save_every=0), "save_every is 0"),
        (dict(log_every=0), "log_every"),
        (dict(loss_scale=0), "loss_scale"),
        (dict(optimizer="adam"), "lmtune.optim.optimizers.adamw"),
        (dict(lr="fast"), "finite"),
        (dict(optimizer=torch.optim.AdamW), "such as lmtune.optim.optimizers.adamw"),
        (dict(seed=10**15), "from 0 to 4294967295"),
        (dict(schedule=lmtune.optim.schedules.Cosine), "such as Cyclic"),
        (dict(learning_rate=1.0), "fit knows no setting learning_rate"),
    ],
)
def test_wrong_settings_are_refused_with_a_remedy(settings, words):
    with pytest.raises(ValueError, match=words):
        fit(tiny_gpt2(), ragged_examples([5]), **settings)


@pytest.mark.parametrize(
    "examples, words",
    [
        ([], "no training examples"),
        ([{"input_ids": [1, 2], "labels": [IGNORED] * 2, "characters": 0}], "Every label"),
        (ragged_examples([40]), "at most 32"),
    ],
)
def test_unusable_examples_are_refused_with_a_remedy(examples, words):
    with pytest.raises(ValueError, match=words):
        fit(tiny_gpt2(), examples, steps=1)


@pytest.mark.parametrize("train", ["a text", None, {"input_ids": [1]}, 3])
def test_what_is_no_list_of_examples_is_refused(train):
    with pytest.raises(TypeError, match="give a list of examples"):
        fit(tiny_gpt2(), train, steps=1)


def test_validation_that_was_trained_on_is_refused():
    train, held_out = ragged_examples([5, 6, 7]), ragged_examples([5, 6], seed=1)
    with pytest.raises(ValueError, match="1 of the 3 validation examples are training examples too"):
        fit(tiny_gpt2(), train, steps=1, validation=[*held_out, train[2]])
    with pytest.raises(ValueError, match="2 of the 3"):
        fit(tiny_gpt2(), lmtune.pack(train, 20), steps=1, validation=[held_out[0], *train[:2]])
    fit(tiny_gpt2(), train, steps=1, validation=held_out)
    fit(tiny_gpt2(), lmtune.disjoint(train, train[1:]), steps=1, validation=train[1:])  # the remedy


def test_the_seed_decides_dropout_whatever_happened_before():
    def weights(noise):
        model = tiny_gpt2(resid_pdrop=0.3)
        torch.rand(noise)
        fit(model, ragged_examples([5, 7, 3]), steps=3)
        return torch.cat([p.detach().flatten() for p in model.parameters()])

    assert torch.equal(weights(1), weights(1000))


def test_the_callers_random_state_comes_back():
    torch.manual_seed(5)
    expected = torch.rand(3)
    model = tiny_gpt2()
    torch.manual_seed(5)
    fit(model, ragged_examples([5, 7, 3]), steps=3, seed=9)
    assert torch.equal(torch.rand(3), expected)


def test_clipping_bounds_the_update():
    moved = sgd_step(tiny_gpt2(), ragged_examples([9, 5]), steps=1, clip=0.01)
    assert sum(m.pow(2).sum() for m in moved.values()).sqrt().item() == pytest.approx(0.01, rel=1e-3)


def test_weight_decay_reaches_the_optimizer_and_spares_vectors():
    """One update with decoupled decay d and rate r shrinks a weight by r * d of itself."""
    start, plain, decayed = tiny_gpt2(), tiny_gpt2(), tiny_gpt2()
    for model, decay in ((plain, 0.0), (decayed, 5.0)):
        fit(model, ragged_examples([5]), steps=1, lr=0.1, weight_decay=decay)
    for w, p, d in zip(start.parameters(), plain.parameters(), decayed.parameters()):
        expected = p - 0.1 * 5.0 * w if w.dim() >= 2 else p
        assert torch.allclose(d, expected, atol=1e-12)


@pytest.mark.parametrize(
    "schedule, formula",
    [("constant", lambda x: 1.0), ("linear", lambda x: 1 - x), ("cosine", lambda x: 0.5 * (1 + math.cos(math.pi * x)))],
)
def test_each_schedule_is_its_formula(schedule, formula):
    config = Config(schedule=schedule, warmup=2, lr=0.5)
    assert [config.rate(s, 10) for s in range(10)] == pytest.approx(
        [0.25, 0.5] + [0.5 * formula(s / 8) for s in range(8)]
    )


def test_each_epoch_has_its_own_order():
    examples = ragged_examples([4] * 12)
    windows = list(windows_of_places(len(examples), Config(epochs=2, batch_size=12)))
    first, second = ([examples[i]["input_ids"] for i in w[0]] for _, w in windows)
    assert first != second and sorted(first) == sorted(second)


def test_no_gradient_from_before_the_run_enters_it():
    examples = ragged_examples([5, 6])
    clean = sgd_step(tiny_gpt2(), examples, steps=1)
    stale = tiny_gpt2()
    next_token_loss(stale, collate(ragged_examples([9], seed=7)))[0].backward()
    assert largest_difference(clean, sgd_step(stale, examples, steps=1)) == 0.0


@pytest.mark.parametrize(
    "loss, kind, words",
    [
        (lambda m, b: next_token_loss(m, b)[0], TypeError, "returns .sum, count."),
        (lambda m, b: (next_token_loss(m, b)[0], -1), ValueError, "counted -1"),
        (lambda m, b: (next_token_loss(m, b)[0] / next_token_loss(m, b)[1], 1), ValueError, "a mean with the count 1"),
        (lambda m, b: (torch.ones(3), 4), TypeError, "call .sum"),
        (lambda m, b: (2.0, 4), TypeError, "call .sum"),
        (lambda m, b: (next_token_loss(m, b)[0].detach(), 4), ValueError, "without .detach"),
    ],
)
def test_a_loss_of_ones_own_must_keep_the_contract(loss, kind, words):
    with pytest.raises(kind, match=words):
        fit(tiny_gpt2(), ragged_examples([5, 4]), steps=1, loss=loss)


def test_a_count_may_be_a_number():
    history = fit(tiny_gpt2(), ragged_examples([5]), steps=1, loss=lambda m, b: (next_token_loss(m, b)[0], 4))
    assert history.steps[0].labels == 4


def test_a_schedule_that_goes_wrong_is_named_and_the_weights_stay():
    model = tiny_gpt2()
    for bad in (math.nan, -1.0):
        before = [p.detach().clone() for p in model.parameters()]
        with pytest.raises(ValueError, match="update number 1 the rate"):
            fit(model, ragged_examples([5]), steps=3, schedule=lambda step, total: bad)
        assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))


@pytest.mark.parametrize("maker", [lambda m, c: None, lambda m, c: torch.optim.LBFGS(m.parameters())])
def test_an_optimizer_the_loop_cannot_use_is_refused(maker):
    with pytest.raises(TypeError, match="return an optimizer of torch.optim"):
        fit(tiny_gpt2(), ragged_examples([5]), steps=1, optimizer=maker)


def test_one_history_is_for_one_run():
    history = fit(tiny_gpt2(), ragged_examples([5]), steps=1)
    with pytest.raises(ValueError, match="give an empty one"):
        next(run(tiny_gpt2(), ragged_examples([5]), Config(steps=1), history=history))


def test_no_gradient_stays_behind():
    model = tiny_gpt2()
    fit(model, ragged_examples([5]), steps=2)
    assert all(p.grad is None for p in model.parameters())


def test_numpys_numbers_are_settings_too(tmp_path):
    import numpy

    config = Config(
        steps=numpy.int64(2), batch_size=numpy.int64(2), lr=numpy.float32(1e-3), betas=(numpy.float64(0.9), 0.9)
    )
    fit(tiny_gpt2(), ragged_examples([5, 6]), config, folder=tmp_path, validation=ragged_examples([4], seed=1))
    assert type(config.batch_size) is int and type(config.lr) is float


def test_a_compiled_copy_is_refused():
    with pytest.raises(TypeError, match="give the model itself"):
        fit(torch.compile(tiny_gpt2(), backend="eager"), ragged_examples([5]), steps=1)


def test_what_the_model_cannot_read_is_named():
    short = ragged_examples([5])
    for wrong, words in (
        ([{"input_ids": [1, 99], "labels": [1, 99], "characters": 1}], "token id 99"),
        (ragged_examples([40]), "at most 32"),
    ):
        for call in (
            lambda: evaluate(tiny_gpt2(), wrong),
            lambda: fit(tiny_gpt2(), short, validation=wrong),
            lambda: fit(tiny_gpt2(), wrong),
        ):
            with pytest.raises(ValueError, match=words):
                call()
    model = lmtune.classifier(tiny_gpt2(), 2)
    with pytest.raises(ValueError, match="class 2 and the classifier has 2"):
        fit(model, [{"input_ids": [1], "labels": 2, "characters": 1}], loss=lmtune.classification_loss)
    with pytest.raises(TypeError, match="loss=lmtune.classification_loss"):
        fit(model, [{"input_ids": [1, 2], "labels": 1, "characters": 1}], loss=next_token_loss)
    with pytest.raises(TypeError, match="validation data are given as"):
        fit(tiny_gpt2(), short, short)
    with pytest.raises(TypeError, match="make examples from texts"):
        fit(tiny_gpt2(), ["a text"])


@pytest.mark.parametrize("log_every", [1, 3])
def test_a_loss_of_ones_own_may_count_nothing_in_an_update(log_every):
    """Such an update moves nothing and breaks nothing, also where the log is read late."""
    counts = iter([1.0, 0.0, 1.0])

    def loss(model, batch):
        total, count = next_token_loss(model, batch)
        share = next(counts)
        return total * share, count * share

    model, moved = tiny_gpt2(), []
    weights = {n: p.detach().clone() for n, p in model.named_parameters()}
    settings = Config(steps=3, batch_size=2, log_every=log_every, optimizer=sgd, clip=None)
    for event in run(model, ragged_examples([5, 7]), settings, loss=loss):
        now = {n: p.detach().clone() for n, p in model.named_parameters()}
        moved.append((event.step, largest_difference(weights, now)))
        weights = now
    assert [step for step, _ in moved] == [1, 2, 3]
    if log_every == 1:
        assert moved[0][1] > 0 and moved[1][1] == 0 and moved[2][1] > 0
