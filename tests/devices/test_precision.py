"""Half precision: what "auto" means, and fp16's scaler, which runs on any processor."""

import pytest
import torch

from lmtune.devices import precision
from lmtune.training.loop import Config, fit, run
from lmtune.training.losses import next_token_loss
from tests.tiny import largest_difference, ragged_examples, sgd_step, tiny_gpt2

CPU, GPU = torch.device("cpu"), torch.device("cuda")
EXAMPLES = ragged_examples([5, 9, 7, 4])


def single(**changes):
    return tiny_gpt2(**changes).float()


def overflowing(update):
    """A loss whose gradient overflows at one update of single micro-batches, with a finite value."""
    calls = iter(range(10_000))

    def loss(model, batch):
        total, count = next_token_loss(model, batch)
        if next(calls) == update:
            total = total + (total - total.detach()) * 1e38
        return total, count

    return loss


@pytest.mark.parametrize("clip", [0.05, None])
def test_row_11_the_update_does_not_depend_on_the_loss_scale(clip):
    moved = [
        sgd_step(single(), EXAMPLES, steps=1, precision="fp16", loss_scale=scale, clip=clip, lr=0.1)
        for scale in (1.0, 2.0**16)
    ]
    assert largest_difference(*moved) < 1e-4
    if clip:
        norm = torch.cat([m.flatten() for m in moved[1].values()]).norm().item()
        assert norm == pytest.approx(0.1 * clip, rel=1e-2)


def test_row_11_the_reported_norm_is_that_of_the_true_gradient():
    norms = [fit(single(), EXAMPLES, steps=1, precision=p).steps[0].norm for p in ("fp32", "fp16")]
    assert norms[1] == pytest.approx(norms[0], rel=1e-2)


def test_row_12_an_overflow_moves_neither_weights_nor_schedule_nor_average():
    model, seen = single(), []
    config = Config(steps=6, batch_size=4, precision="fp16", warmup=4, lr=0.01, schedule="constant", ema=0.5)
    for event in run(model, EXAMPLES, config, loss=overflowing(2)):
        seen.append((event, [p.detach().clone() for p in model.parameters()]))
    events = [event for event, _ in seen]
    assert [e.skipped for e in events] == [False, False, True, False, False, False]
    assert [e.lr for e in events] == pytest.approx([0.0025, 0.005, 0.0075, 0.0075, 0.01, 0.01])
    assert all(torch.equal(a, b) for a, b in zip(seen[1][1], seen[2][1]))
    assert not any(torch.equal(a, b) for a, b in zip(seen[2][1], seen[3][1]))


def test_row_12_the_scale_is_halved(tmp_path):
    from lmtune.training import checkpoint

    fit(single(), EXAMPLES, steps=1, batch_size=4, precision="fp16", loss=overflowing(0), folder=tmp_path)
    saved = checkpoint.read(checkpoint.existing(tmp_path)[-1])["state"]
    assert saved["scaler"]["scale"] == 2.0**15 and (saved["step"], saved["made"]) == (1, 0)


def test_a_gradient_that_always_overflows_is_named():
    def hopeless(model, batch):
        total, count = next_token_loss(model, batch)
        return total + (total - total.detach()) * 1e38 * 1e38, count

    with pytest.raises(FloatingPointError, match="precision='bf16'"):
        fit(single(), EXAMPLES, steps=100, batch_size=4, precision="fp16", loss=hopeless)


@pytest.mark.parametrize("log_every", [1, 5])
def test_a_loss_that_is_not_finite_stops_fp16_as_well(log_every):
    def nan(model, batch):
        total, count = next_token_loss(model, batch)
        return total * float("nan"), count

    model = single()
    before = [p.detach().clone() for p in model.parameters()]
    with pytest.raises(FloatingPointError, match="update number 1"):
        fit(model, EXAMPLES, steps=9, precision="fp16", loss=nan, log_every=log_every)
    assert all(torch.equal(a, b) for a, b in zip(before, model.parameters()))


@pytest.mark.parametrize("name", ["bf16", "fp16"])
def test_row_29_weights_and_optimizer_stay_in_fp32_and_products_are_halved(name):
    model, seen = single(), []
    model.transformer.h[0].mlp.c_fc.register_forward_hook(lambda m, a, output: seen.append(output.dtype))
    config = Config(steps=2, batch_size=4, precision=name)
    optimizers = []
    from lmtune.optim.optimizers import adamw

    def remembered(model, config):
        optimizers.append(adamw(model, config))
        return optimizers[0]

    from dataclasses import replace

    for event in run(model, EXAMPLES, replace(config, optimizer=remembered), ragged_examples([6], seed=1)):
        if event.step == 2:
            assert {p.grad.dtype for p in model.parameters()} == {torch.float32}
    assert set(seen[1:]) == {precision._HALF[name]}  # the first is the look whether it reads later tokens
    assert {p.dtype for p in model.parameters()} == {torch.float32}
    states = optimizers[0].state.values()
    assert {v.dtype for s in states for v in s.values()} == {torch.float32}


def test_row_29_auto_takes_bf16_only_where_the_card_has_it(monkeypatch):
    def card(native):
        def supported(including_emulation=True):
            return native or including_emulation

        monkeypatch.setattr(torch.cuda, "is_bf16_supported", supported)
        return precision.resolve("auto", GPU)

    assert card(native=True) == "bf16"
    assert card(native=False) == "fp16"
    assert precision.resolve("auto", CPU) == "fp32"
    assert precision.resolve("fp32", GPU) == "fp32"


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16])
def test_row_29_weights_in_half_precision_are_refused_unless_frozen(dtype):
    model = single().to(dtype)
    with pytest.raises(ValueError, match="model.float"):
        fit(model, EXAMPLES, steps=1)
    for p in model.parameters():
        p.requires_grad_(False)
    precision.refuse_half_weights(model)


def test_a_small_scale_that_overflows_nothing_is_no_fault():
    assert len(fit(single(), EXAMPLES, steps=2, precision="fp16", loss_scale=1e-5).steps) == 2


def test_an_unknown_precision_is_refused():
    with pytest.raises(ValueError, match="'bf16'"):
        Config(precision="fp8")
