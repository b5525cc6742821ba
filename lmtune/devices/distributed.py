"""Several processes that train one model, started by ``torchrun``.

Each process computes the gradient of its share of an update; one all-reduce adds the
shares, and the loss's sum and count travel along.  Alone, every function here does nothing.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch
import torch.distributed as dist
from torch import nn


@contextmanager
def joined() -> Iterator[str | None]:
    """Join the processes that ``torchrun`` started, for the time of the block: gloo on CPUs, nccl on GPUs.

    Yields this process's device, or None where it was started alone.  Raises ``ValueError`` when there
    are GPUs but fewer than processes on this machine.
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield None
        return
    local, gpus = int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
    if gpus and local >= gpus:
        raise ValueError(
            f"torchrun started process {local} of this machine and it has {gpus} GPUs; give "
            f"--nproc-per-node={gpus} or less."
        )
    if gpus:
        torch.cuda.set_device(local)
    dist.init_process_group("nccl" if gpus else "gloo")
    yield f"cuda:{local}" if gpus else "cpu"
    dist.destroy_process_group()  # not after an error: it could wait for a process that is no more


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
    zeros, so that none waits for it.  A parameter that no process used keeps no gradient: with
    zeros the optimizer would still decay it.
    """
    if rank_and_size()[1] == 1:
        return scalars
    missing = [i for i, p in enumerate(parameters) if p.grad is None]
    for i in missing:
        parameters[i].grad = torch.zeros_like(parameters[i])
    gradients = [p.grad for p in parameters]
    used = torch.ones(len(parameters), dtype=gradients[0].dtype)
    used[missing] = 0.0
    with torch.no_grad():
        extra = [torch.as_tensor(s).to(gradients[0]).flatten() for s in (*scalars, used)]
        flat = torch.cat([*(g.flatten() for g in gradients), *extra])
        dist.all_reduce(flat)
        *pieces, used = flat.split([*(g.numel() for g in gradients), *(e.numel() for e in extra)])
        torch._foreach_copy_(gradients, [p.view_as(g) for p, g in zip(pieces, gradients)])
    if missing:  # only then must the flags be read
        used = used.tolist()
        for i in missing:
            if not used[i]:
                parameters[i].grad = None
    return tuple(p.reshape(()) for p in pieces[len(gradients) :])


def refuse_disagreement(device: torch.device | str, **said: str | int) -> None:
    """Refuse processes that were given different things; compared are digests, of equal length."""
    if rank_and_size()[1] == 1:
        return
    numbers = [int.from_bytes(hashlib.blake2b(repr(v).encode(), digest_size=6).digest(), "big") for v in said.values()]
    values = torch.tensor([[n, -n] for n in numbers], dtype=torch.float64, device=device)
    dist.all_reduce(values, op=dist.ReduceOp.MAX)
    for name, (largest, negated) in zip(said, values.tolist()):
        if largest != -negated:
            raise ValueError(
                f"The processes have different {name} (this one: {str(said[name])[:80]}). Give every "
                "process the same model, data, settings and a folder on a disk that they share; "
                "lmtune gives each its share of the data."
            )


def add_up_numbers(*numbers: float, device: torch.device | str = "cpu") -> list[float]:
    """The sums over the processes of a few Python numbers, in fp64."""
    if rank_and_size()[1] == 1:
        return list(numbers)
    values = torch.tensor(numbers, dtype=torch.float64, device=device)
    dist.all_reduce(values)
    return values.tolist()
