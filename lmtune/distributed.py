"""Several processes that train one model, started by ``torchrun``.

Each process computes the gradient of its share of an update; one all-reduce adds the
shares, and the loss's sum and count travel along.  Alone, every function here does nothing.
"""
from __future__ import annotations

from typing import Sequence

import torch
import torch.distributed as dist
from torch import nn


def rank_and_size() -> tuple[int, int]:
    """Which process this is, from 0, and how many there are."""
    if dist.is_available() and dist.is_initialized():
        return dist.get_rank(), dist.get_world_size()
    return 0, 1


@torch.no_grad()
def same_start(model: nn.Module) -> None:
    """Give every process the weights and buffers of the first."""
    if rank_and_size()[1] > 1:
        for tensor in [*model.parameters(), *model.buffers()]:
            dist.broadcast(tensor, src=0)


def add_up(parameters: Sequence[nn.Parameter], *scalars: torch.Tensor | int) -> tuple[torch.Tensor | int, ...]:
    """Replace each gradient by its sum over the processes, and return the sums of the scalars.

    One all-reduce of one flat tensor; a process without a share of the update takes part with
    zeros, so that none waits for it.
    """
    if rank_and_size()[1] == 1:
        return scalars
    for p in parameters:
        if p.grad is None:
            p.grad = torch.zeros_like(p)
    gradients = [p.grad for p in parameters]
    with torch.no_grad():
        flat = torch.cat([*(g.flatten() for g in gradients),
                          *(torch.as_tensor(s).to(gradients[0]).flatten() for s in scalars)])
        dist.all_reduce(flat)
        pieces = flat.split([*(g.numel() for g in gradients), *(1 for _ in scalars)])
        torch._foreach_copy_(gradients, [p.view_as(g) for p, g in zip(pieces, gradients)])
    return tuple(p.reshape(()) for p in pieces[len(gradients):])


def add_up_numbers(*numbers: float, device: torch.device | str = "cpu") -> list[float]:
    """The sums over the processes of a few Python numbers, in fp64."""
    if rank_and_size()[1] == 1:
        return list(numbers)
    values = torch.tensor(numbers, dtype=torch.float64, device=device)
    dist.all_reduce(values)
    return values.tolist()


def any_process(flag: bool, device: torch.device | str = "cpu") -> bool:
    """Whether the flag is set in any of the processes."""
    return add_up_numbers(float(flag), device=device)[0] > 0
