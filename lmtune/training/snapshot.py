"""Taking a copy of what training changes in a model, and putting one back."""

from __future__ import annotations

import torch
from torch import nn


def named_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """What training can change, by name: trainable parameters, each once however often it is tied,
    and persistent buffers.  Frozen weights are those that the model was made with."""
    own = {name: p for name, p in model.named_parameters() if p.requires_grad}
    persistent = set(model.state_dict(keep_vars=True))
    return own | {name: b for name, b in model.named_buffers() if name in persistent}


def snapshot(model: nn.Module) -> dict[str, torch.Tensor]:
    """Copies of :func:`named_weights`."""
    return {name: tensor.detach().clone() for name, tensor in named_weights(model).items()}


@torch.no_grad()
def restore(model: nn.Module, saved: dict[str, torch.Tensor]) -> None:
    """Write a snapshot into the model, in place, so that ties and optimizers stay as they are.

    Raises ``ValueError`` where names or shapes differ; the model is then unchanged.
    """
    own = named_weights(model)
    if set(own) != set(saved):
        odd = sorted(set(own) ^ set(saved))
        raise ValueError(
            f"The saved weights are of another model: {odd[0]!r} is trained in only one of the two "
            f"({len(odd)} such names). Make and freeze the model as then."
        )
    for name, tensor in own.items():
        if tensor.shape != saved[name].shape or tensor.dtype != saved[name].dtype:
            raise ValueError(
                f"The saved {name!r} is {tuple(saved[name].shape)} of {saved[name].dtype} and the "
                f"model's is {tuple(tensor.shape)} of {tensor.dtype}. Make the model as then."
            )
    for name, tensor in own.items():
        tensor.copy_(saved[name])
