"""What lmtune doctor says."""

import importlib.metadata
from types import SimpleNamespace

import pytest
import torch

from lmtune.cli import doctor


def test_it_names_device_versions_and_disk(capsys):
    code = doctor.main()
    said = capsys.readouterr().out
    assert "torch" in said and "device: " in said and "GB free" in said and "documentation cache" in said
    assert code == int("!" in said)


def test_an_old_and_a_missing_package_are_named_with_the_remedy(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: ["torch>=99", "notthere>=1", "numpy>=1"])
    said = "\n".join(doctor._versions())
    assert "! torch" in said and 'pip install -U "torch>=99"' in said
    assert '! notthere is missing: pip install "notthere>=1"' in said and "! numpy" not in said


def test_a_full_disk_is_named(monkeypatch):
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda path: doctor.shutil._ntuple_diskusage(1, 1, 10**9))
    assert any(line.startswith("! Less than 2 GB") for line in doctor._disk())


@pytest.mark.parametrize("free, warned", [(8, False), (4, False), (3, True)])
def test_a_gpu_is_named_and_whether_something_else_fills_it(monkeypatch, free, warned):
    gpu = dict(
        is_available=lambda: True,
        device_count=lambda: 1,
        get_device_properties=lambda i: SimpleNamespace(name="A GPU"),
        mem_get_info=lambda i: (free << 30, 8 << 30),
        is_bf16_supported=lambda *_, **__: True,
    )
    for name, value in gpu.items():
        monkeypatch.setattr(torch.cuda, name, value)
    said = doctor._device()
    assert f"device: cuda:0, A GPU, {free}.0 of 8.0 GiB free; models compute in bf16" in said
    assert any("more than half of the memory of cuda:0" in line for line in said) == warned
