"""Taking a copy of a model's weights, and putting one back."""
from __future__ import annotations

import torch
from torch import nn


def snapshot(model: nn.Module) -> dict[str, torch.Tensor]:
    """Copies of the parameters and persistent buffers by name; tied weights stand there once."""
    return {name: tensor.detach().clone() for name, tensor in named_weights(model).items()}


@torch.no_grad()
def restore(model: nn.Module, saved: dict[str, torch.Tensor]) -> None:
    """Write a snapshot into the model, in place, so that ties and optimizers stay as they are.

    Raises ``ValueError`` where names or shapes differ; the model is then unchanged.
    """
    own = named_weights(model)
    if set(own) != set(saved):
        odd = sorted(set(own) ^ set(saved))
        raise ValueError(f"The saved weights are of another model: {odd[0]!r} is in only one of the two "
                         f"({len(odd)} such names). Make the model as it was made then.")
    for name, tensor in own.items():
        if tensor.shape != saved[name].shape:
            raise ValueError(f"The saved {name!r} has the shape {tuple(saved[name].shape)} and the model's "
                             f"has {tuple(tensor.shape)}. Make the model as it was made then.")
    for name, tensor in own.items():
        tensor.copy_(saved[name])


def named_weights(model: nn.Module) -> dict[str, torch.Tensor]:
    """The model's own tensors, each once, under the first of its names."""
    seen: set[int] = set()
    own = {}
    for name, tensor in model.state_dict(keep_vars=True).items():
        if id(tensor) not in seen:
            seen.add(id(tensor))
            own[name] = tensor
    return own
