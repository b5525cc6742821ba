"""What lmtune doctor says."""

import importlib.metadata

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
