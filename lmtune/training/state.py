"""The state of a run: all that must be saved for it to go on as if it had never stopped.

The order of the data, the learning rate and the random numbers of an update are functions
of its number and the seed, so none of them is part of the state.
"""
from __future__ import annotations

import hashlib
from array import array
from dataclasses import dataclass
from typing import Sequence

import torch
from torch import nn

from lmtune.data.examples import Example
from lmtune.optim.averaging import Average
from lmtune.training.config import Config, name_of
from lmtune.training.early_stopping import EarlyStopping
from lmtune.training.history import History
from lmtune.training.snapshot import named_weights, restore


@dataclass
class State:
    """Everything that changes during a run."""

    model: nn.Module
    optimizer: torch.optim.Optimizer
    scaler: torch.amp.GradScaler
    history: History
    average: Average | None
    stopping: EarlyStopping | None
    step: int = 0  #: updates tried, which is the place in the data
    made: int = 0  #: updates made; fp16 leaves out those that overflow

    def state_dict(self) -> dict:
        """The state as nested plain data and tensors; the tensors are not copied."""
        return {
            "step": self.step, "made": self.made, "weights": named_weights(self.model),
            **{name: getattr(self, name).state_dict() for name in self._parts()},
        }

    def load_state_dict(self, state: dict) -> None:
        restore(self.model, state["weights"])
        self.step, self.made = state["step"], state["made"]
        for name in self._parts():
            getattr(self, name).load_state_dict(state[name])

    def _parts(self) -> list[str]:
        names = ("optimizer", "scaler", "history", "average", "stopping")
        return [name for name in names if getattr(self, name) is not None]


def about_run(model: nn.Module, train: Sequence[Example], validation: Sequence[Example] | None,
              config: Config, loss, precision: str, processes: int) -> dict:
    """What decides a run's result, as plain data: a resumed run must agree with it in all."""
    trained = [(n, tuple(p.shape), str(p.dtype)) for n, p in model.named_parameters() if p.requires_grad]
    return {
        "settings": {**config.described(), "precision": precision, "processes": processes,
                     "loss": name_of(loss)},
        "training data": fingerprint(train), "validation data": fingerprint(validation or []),
        "trained parameters": hashlib.blake2b(repr(trained).encode(), digest_size=16).hexdigest(),
        "frozen weights": _fingerprint_of_frozen(model),
    }


def _fingerprint_of_frozen(model: nn.Module) -> str:
    """A digest of a few numbers of each frozen weight: enough to tell one model from another."""
    digest = hashlib.blake2b(digest_size=16)
    for name, parameter in model.named_parameters():
        if not parameter.requires_grad:
            flat = parameter.detach().flatten()
            few = flat[:: max(1, flat.numel() // 16)][:16].float().cpu()
            digest.update(f"{name} {tuple(parameter.shape)} {few.tolist()}".encode())
    return digest.hexdigest()


def fingerprint(examples: Sequence[Example]) -> str:
    """A digest of what the examples say and of their order."""
    digest = hashlib.blake2b(digest_size=16)
    for example in examples:
        labels = example["labels"]
        digest.update(array("q", example["input_ids"]).tobytes() + b"/")
        digest.update(array("q", labels if isinstance(labels, list) else [labels]).tobytes() + b";")
    return digest.hexdigest()
