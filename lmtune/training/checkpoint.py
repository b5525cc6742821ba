"""Checkpoints on disk: written whole or not at all, and believed only if nothing changed.

A checkpoint is a folder ``step-00000120`` with ``state.safetensors`` (every tensor),
``state.json`` (everything else) and ``SHA256SUMS``, which ``sha256sum -c`` understands.
It is written under another name and renamed when it is complete, so a kill or a full
disk during a save leaves the one before as it was.  Nothing is ever unpickled.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import warnings
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from lmtune.files import sha256_of

if TYPE_CHECKING:
    from lmtune.training.state import State

#: How many checkpoints a folder keeps: the newest, and one to fall back on.
KEPT = 2

_NAME = re.compile(r"step-\d{8,}")  # nothing else in the folder is ours
_FILES = ("state.safetensors", "state.json")


class CheckpointError(OSError):
    """A checkpoint that cannot be read or written; the message names it and the remedy."""


def write(folder: Path, step: int, state: dict[str, Any]) -> Path:
    """Write a checkpoint, and only then remove all but the last ``KEPT``.

    Raises :class:`CheckpointError` where it cannot be written; those before it stay.
    """
    from safetensors import SafetensorError
    from safetensors.torch import save_file

    final, part = folder / f"step-{step:08d}", folder / f".step-{step:08d}.part"
    tensors: dict[str, torch.Tensor] = {}
    text = json.dumps(_without_tensors(state, tensors))
    try:
        shutil.rmtree(part, ignore_errors=True)
        part.mkdir(parents=True)
        save_file(tensors, part / _FILES[0])
        (part / _FILES[1]).write_text(text, "utf8")
        sums = [f"{sha256_of(part / name)}  {name}\n" for name in _FILES]
        (part / "SHA256SUMS").write_text("".join(sums), "utf8")
        for path in part.iterdir():
            _flush(path)
        _flush(part)
        os.rename(part, final)
        _flush(folder)
    except (OSError, SafetensorError) as error:
        shutil.rmtree(part, ignore_errors=True)
        good = existing(folder)
        before = f"The one before it, {good[-1]}, is untouched." if good else "There is none before it."
        raise CheckpointError(
            f"The checkpoint {final} could not be written ({error}). {before} "
            "Free some disk space, or give another folder."
        ) from None
    for old in existing(folder)[:-KEPT]:
        shutil.rmtree(old, ignore_errors=True)
    return final


def read(path: Path) -> dict[str, Any]:
    """Read a checkpoint back, on the CPU.

    Raises :class:`CheckpointError` where a file is missing, cut short or changed, and names the
    newest good one in its folder.
    """
    from safetensors.torch import load_file

    fault = _fault(path)
    if fault:
        good = [p for p in existing(path.parent) if p != path and not _fault(p)]
        remedy = (
            f"The last good one is {good[-1]}: remove {path.name} and resume again to go on from it."
            if good
            else "There is no other good one in its folder; start again in a new folder."
        )
        raise CheckpointError(f"The checkpoint {path} is damaged: {fault}. {remedy}")
    tensors = load_file(path / _FILES[0])
    state: dict[str, Any] = _with_tensors(json.loads((path / _FILES[1]).read_text("utf8")), tensors)
    return state


def existing(folder: Path) -> list[Path]:
    """The complete checkpoints of a folder, oldest first."""
    return sorted(
        (p for p in folder.glob("step-*") if _NAME.fullmatch(p.name) and p.is_dir()), key=lambda p: int(p.name[5:])
    )


def prepare(folder: Path) -> None:
    """Make the folder, prove that it can be written to, and clear what a kill left half-written."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for left in folder.glob(".step-*.part"):
            if _NAME.fullmatch(left.name[1:-5]):
                shutil.rmtree(left)
        probe = folder / ".writable"
        probe.write_text("", "utf8")
        probe.unlink()
    except OSError as error:
        raise CheckpointError(
            f"The folder {folder} cannot be written to ({error}). Give a folder of your own, such as folder='run-1'."
        ) from None


def _flush(path: Path) -> None:
    """Wait until the disk has it; without this a rename may survive a power cut and its data not."""
    if os.name == "nt" and path.is_dir():
        return  # Windows cannot open a folder
    handle = os.open(path, os.O_RDONLY if os.name != "nt" else os.O_RDWR)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def _fault(path: Path) -> str | None:
    """What is wrong with a checkpoint's files, or None."""
    for name in ("SHA256SUMS", *_FILES):
        if not (path / name).is_file():
            return f"{name} is missing"
    lines = (path / "SHA256SUMS").read_text("utf8", errors="replace").splitlines()
    stated = {name: digest for digest, _, name in (line.partition("  ") for line in lines)}
    for name in _FILES:
        if stated.get(name) != sha256_of(path / name):
            return f"{name} is not as it was written (its SHA-256 differs from SHA256SUMS)"
    return None


def _without_tensors(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    """Plain data for JSON: tensors go into ``tensors``, keys and tuples are kept as they are."""
    if isinstance(value, torch.Tensor):
        name = f"{len(tensors)}"
        tensors[name] = value.detach().clone(memory_format=torch.contiguous_format)  # none may share memory
        return {"tensor": name}
    if isinstance(value, dict):
        return {"items": [[k, _without_tensors(v, tensors)] for k, v in value.items()]}
    if isinstance(value, tuple):
        return {"tuple": [_without_tensors(v, tensors) for v in value]}
    if isinstance(value, list):
        return [_without_tensors(v, tensors) for v in value]
    if value is None or isinstance(value, (bool, int, float, str)):
        return value
    raise TypeError(f"A checkpoint holds tensors and plain data; it was given a {type(value).__name__}.")


def _with_tensors(value: Any, tensors: dict[str, torch.Tensor]) -> Any:
    if isinstance(value, list):
        return [_with_tensors(v, tensors) for v in value]
    if not isinstance(value, dict):
        return value
    ((kind, inner),) = value.items()
    if kind == "tensor":
        return tensors[inner]
    if kind == "tuple":
        return tuple(_with_tensors(v, tensors) for v in inner)
    return {k: _with_tensors(v, tensors) for k, v in inner}


class Checkpoints:
    """The checkpoints of one run, in their folder.

    ``about`` is plain data that a resumed run must share: settings, data, processes.
    """

    def __init__(self, path: str | Path, about: dict[str, Any], writes: bool = True):
        self.path, self.about, self.writes = Path(path).expanduser(), about, writes
        self._saved: int | None = None
        if writes:
            prepare(self.path)

    def begin(self, state: State, resume: bool) -> None:
        """Load the newest checkpoint into the state, or make sure that none would be lost."""
        found = existing(self.path)
        if not found:
            return
        if not resume:
            raise FileExistsError(
                f"The folder {self.path} already holds a run ({found[-1].name}). Give "
                "resume=True to go on with it, or another folder."
            )
        saved = read(found[-1])
        _refuse_other_run(found[-1], saved["about"], self.about)
        state.load_state_dict(saved["state"])
        self._saved = state.step

    def save(self, state: State) -> None:
        """Write a checkpoint of the state; only one of several processes does.

        A disk that is full costs a warning: neither the checkpoint before nor the run is lost.
        """
        if not self.writes or state.step == self._saved:
            return
        self._saved = state.step
        try:
            write(self.path, state.step, {"about": self.about, "state": state.state_dict()})
        except CheckpointError as error:
            warnings.warn(f"{error} Training goes on.", stacklevel=2)


def _refuse_other_run(path: Path, saved: dict[str, Any], given: dict[str, Any]) -> None:
    """A run that goes on with other settings would be neither the old one nor a new one."""
    for part, old in saved.items():
        new = given.get(part)
        if isinstance(old, dict) and isinstance(new, dict):
            # The number of processes first, because other settings follow from it.
            for name in sorted({**old, **new}, key=lambda name: name != "processes"):
                if old.get(name) != new.get(name):
                    raise ValueError(
                        f"The checkpoint {path} was made with {name} = {old.get(name)!r} and this "
                        f"run has {new.get(name)!r}. Give the same, or another folder."
                    )
        elif old != new:
            raise ValueError(
                f"The checkpoint {path} was made with other {part} than this run has. Give the same, or another folder."
            )
