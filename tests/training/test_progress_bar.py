"""The bar's text, and what the throughput is reckoned from."""

import functools

import pytest
import torch

import lmtune
from lmtune.devices import throughput
from lmtune.training import progress_bar
from lmtune.training.loop import fit
from tests.tiny import ragged_examples, tiny_gpt2, tiny_llama

EXAMPLES = ragged_examples([5, 9, 7, 4])


def test_the_bar_shows_loss_rate_speed_memory_and_time_left(capsys, monkeypatch):
    monkeypatch.setattr(progress_bar, "EVERY", 0.0)
    monkeypatch.setattr(
        progress_bar, "tqdm", functools.partial(progress_bar.tqdm, mininterval=0, disable=False, ncols=250)
    )
    fit(tiny_gpt2(), EXAMPLES, steps=3, lr=2e-3, batch_size=4, validation=ragged_examples([6], seed=1))
    shown = capsys.readouterr().err
    for part in ("3/3", "<", "loss 3.", "validation 3.", "rate 2.0e-03", "tokens/s", "GiB"):
        assert part in shown, part
    assert "MFU" not in shown, "the peak of a CPU is not known"


def test_without_progress_nothing_is_shown(capsys):
    fit(tiny_gpt2(), EXAMPLES, steps=2, progress=False)
    assert capsys.readouterr().err == ""


def test_speed_counts_tokens_without_padding():
    history = fit(tiny_gpt2(), EXAMPLES, steps=3, batch_size=4)
    assert [s.tokens for s in history.steps] == [25] * 3
    seconds = history.steps[-1].seconds - history.steps[0].seconds
    assert history.tokens_per_second == pytest.approx(50 / seconds)
    assert fit(tiny_gpt2(), EXAMPLES, steps=1).tokens_per_second is None


@pytest.mark.parametrize(
    "name, flops",
    [
        ("NVIDIA H100 80GB HBM3", 989e12),
        ("NVIDIA H100 PCIe", 756e12),
        ("Tesla T4", 65e12),
        ("NVIDIA A100-SXM4-40GB", 312e12),
        ("NVIDIA L4", 121e12),
        ("NVIDIA L40S", 362e12),
        ("Some GPU", None),
    ],
)
def test_the_peak_is_that_of_the_card(monkeypatch, name, flops):
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda device: name)
    assert throughput.peak_flops(torch.device("cuda")) == flops
    assert throughput.peak_flops(torch.device("cpu")) is None


def test_flops_per_token_are_six_a_weight_that_is_multiplied():
    gpt2, llama = tiny_gpt2(), tiny_llama()
    multiplied = sum(p.numel() for p in gpt2.parameters()) - gpt2.transformer.wpe.weight.numel()
    assert throughput.flops_per_token(gpt2) == 6 * multiplied
    assert throughput.flops_per_token(gpt2, 8) == 6 * multiplied + 12 * 2 * 16 * 8
    looked_up = llama.model.embed_tokens.weight.numel()
    assert throughput.flops_per_token(llama) == 6 * (sum(p.numel() for p in llama.parameters()) - looked_up)


def test_mfu_is_the_share_of_the_peak(monkeypatch):
    monkeypatch.setattr(throughput, "peak_flops", lambda device: 1e9)
    model = tiny_gpt2()
    assert throughput.mfu(model, 1000.0) == pytest.approx(1000 * throughput.flops_per_token(model) / 1e9)
    monkeypatch.undo()
    assert throughput.mfu(model, 1000.0) is None


def test_a_classifier_has_a_bar_too(monkeypatch):
    monkeypatch.setattr(throughput, "peak_flops", lambda device: 1e9)
    model = lmtune.classifier(tiny_gpt2(), 2)
    fit(model, [{"input_ids": [2, 3], "labels": 1, "characters": 1}], steps=2, loss=lmtune.classification_loss)
