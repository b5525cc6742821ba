"""What this machine can do and what to change: the lines of ``lmtune doctor``."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import shutil
import sys
from pathlib import Path

#: Packages that the loop and the docs tasks need, with the least version of pyproject.toml.
_DISTRIBUTION = "lmtune"


def examine() -> list[str]:
    """Lines about the device, the number format, versions, disk and cache; advice begins with ``!``."""
    return [*_device(), *_versions(), *_disk(), *_network()]


def _device() -> list[str]:
    import torch

    from lmtune.devices.precision import resolve

    lines = [
        f"python {platform.python_version()} on {platform.system()} {platform.machine()}, "
        f"torch {torch.__version__} with {torch.get_num_threads()} threads of {os.cpu_count()} processors"
    ]
    if not torch.cuda.is_available():
        lines.append("device: cpu; models compute in fp32")
        if shutil.which("nvidia-smi"):
            lines.append(
                "! There is an NVIDIA driver, but this torch was built without CUDA or cannot use it: "
                "install a CUDA build of torch."
            )
        return lines
    for i in range(torch.cuda.device_count()):
        about = torch.cuda.get_device_properties(i)
        free, total = torch.cuda.mem_get_info(i)
        lines.append(
            f"device: cuda:{i}, {about.name}, {free / 2**30:.1f} of {total / 2**30:.1f} GiB free; models "
            f"compute in {resolve('auto', torch.device('cuda', i))}"
        )
        if free < 0.5 * total:
            lines.append(f"! Something else uses more than half of the memory of cuda:{i}: look with nvidia-smi.")
    return lines


def _versions() -> list[str]:
    from packaging.requirements import Requirement

    try:
        wanted = [Requirement(line) for line in importlib.metadata.requires(_DISTRIBUTION) or []]
    except importlib.metadata.PackageNotFoundError:
        return [
            "lmtune runs from a folder and is not installed, so its requirements are not checked",
            "! To install it: pip install -e . in the clone.",
        ]
    lines, said = [], []
    for need in wanted:
        try:
            have = importlib.metadata.version(need.name)
        except importlib.metadata.PackageNotFoundError:
            lines.append(f'! {need.name} is missing: pip install "{need}"')
            continue
        said.append(f"{need.name} {have}")
        if not need.specifier.contains(have, prereleases=True):
            lines.append(f'! {need.name} {have} is too old: pip install -U "{need}"')
    return [", ".join(said), *lines]


def _disk() -> list[str]:
    from lmtune.data.docstrings import cache_folder

    lines = []
    hub = Path(os.environ.get("HF_HOME", Path.home() / ".cache" / "huggingface"))
    for what, folder in (("this folder", Path.cwd()), ("documentation cache", cache_folder()), ("Hub cache", hub)):
        there = next(p for p in (folder, *folder.parents) if p.exists())
        free = shutil.disk_usage(there).free / 1e9
        used = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file()) / 1e9 if what != "this folder" else 0
        lines.append(f"{what}: {folder}, {f'{used:.2f} GB used, ' if used else ''}{free:.1f} GB free")
        if free < 2:
            lines.append(
                f"! Less than 2 GB are free at {there}: a checkpoint of a model of 100 M parameters takes 1.2 GB."
            )
        if not os.access(there, os.W_OK):
            lines.append(f"! {there} cannot be written to.")
    return lines


def _network() -> list[str]:
    offline = os.environ.get("HF_HUB_OFFLINE", "") not in ("", "0")
    said = "the Hub is not asked (HF_HUB_OFFLINE is set)" if offline else "the Hub is asked for models not at hand"
    return [f"{said}; pocket and pocket-mini need no network"]


def main() -> int:
    """Print what :func:`examine` found; 1 where something should be changed."""
    lines = examine()
    print("\n".join(lines))
    advice = sum(line.startswith("!") for line in lines)
    print("nothing to change" if not advice else f"{advice} thing(s) to change, marked with !", file=sys.stderr)
    return int(advice > 0)
