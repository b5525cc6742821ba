"""The state of a run: all that must be saved for it to go on as if it had never stopped.

The order of the data, the learning rate and the random numbers of an update are functions
of its number and the seed, so none of them is part of the state.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

from lmtune.optim.averaging import Average
from lmtune.training.config import name_of
from lmtune.training.early_stopping import EarlyStopping
from lmtune.training.history import History
from lmtune.training.snapshot import named_weights, restore

if TYPE_CHECKING:
    from lmtune.training.plan import Plan

#: What no examples at all are known by.
NOTHING = hashlib.blake2b(digest_size=16).hexdigest()


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

    def state_dict(self) -> dict[str, Any]:
        """The state as nested plain data and tensors; the tensors are not copied."""
        return {
            "step": self.step,
            "made": self.made,
            "weights": named_weights(self.model),
            **{name: getattr(self, name).state_dict() for name in self._parts()},
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        restore(self.model, state["weights"])
        self.step, self.made = state["step"], state["made"]
        for name in self._parts():
            getattr(self, name).load_state_dict(state[name])

    def _parts(self) -> list[str]:
        names = ("optimizer", "scaler", "history", "average", "stopping")
        return [name for name in names if getattr(self, name) is not None]


def about_run(plan: Plan) -> dict[str, Any]:
    """What decides a run's result, as plain data: a resumed run must agree with it in all."""
    trained = [(n, tuple(p.shape), str(p.dtype)) for n, p in plan.model.named_parameters() if p.requires_grad]
    settings = {"precision": plan.precision, "processes": plan.processes, "loss": name_of(plan.loss)}
    return {
        "settings": {**plan.config.described(), **settings},
        "training data": plan.seen.digest,
        "validation data": plan.held_out.digest if plan.held_out else NOTHING,
        "trained parameters": hashlib.blake2b(repr(trained).encode(), digest_size=16).hexdigest(),
        "frozen weights": _fingerprint_of_frozen(plan.model),
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
