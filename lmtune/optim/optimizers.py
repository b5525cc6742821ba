"""Making the optimizer, and updating with it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from lmtune.training.config import Config


def adamw(model: nn.Module, config: Config) -> torch.optim.Optimizer:
    """AdamW (Loshchilov and Hutter 2019, arXiv:1711.05101) over :func:`parameter_groups`."""
    groups = parameter_groups(model, config.weight_decay)
    fused = all(p.device.type in ("cpu", "cuda") for g in groups for p in g["params"])
    return torch.optim.AdamW(groups, lr=config.lr, betas=config.betas, fused=fused)


def made_optimizer(
    make: Callable[[nn.Module, Config], torch.optim.Optimizer], model: nn.Module, config: Config
) -> torch.optim.Optimizer:
    """Call the maker and refuse what the loop cannot work with."""
    made = make(model, config)
    if not isinstance(made, torch.optim.Optimizer) or isinstance(made, torch.optim.LBFGS):
        raise TypeError(
            f"The optimizer's maker returned a {type(made).__name__}; return an optimizer of torch.optim "
            "other than LBFGS, which asks for the loss several times an update."
        )
    return made


def parameter_groups(model: nn.Module, weight_decay: float) -> list[dict[str, Any]]:
    """Trainable parameters, each once: matrices with weight decay, vectors without."""
    trainable = [p for p in model.parameters() if p.requires_grad]  # tied weights come once
    return [
        {"params": [p for p in trainable if p.dim() >= 2], "weight_decay": weight_decay},
        {"params": [p for p in trainable if p.dim() < 2], "weight_decay": 0.0},
    ]


def set_rate(optimizer: torch.optim.Optimizer, factor: float) -> None:
    """Give each group its peak rate times ``factor``."""
    for group in optimizer.param_groups:
        group.setdefault("initial_lr", group["lr"])
        group["lr"] = group["initial_lr"] * factor


@torch.no_grad()
def rescale(parameters: Sequence[nn.Parameter], factor: torch.Tensor) -> None:
    """Multiply each gradient by a number that may still lie on the device."""
    for parameter in parameters:
        if parameter.grad is not None:
            parameter.grad.mul_(factor.to(parameter.grad))


def step_unless(broken: bool | torch.Tensor, optimizer: torch.optim.Optimizer) -> None:
    """Update the weights unless the flag is set; a flag on a GPU need not be waited for.

    A fused optimizer reads a tensor (bool of shape ()) where it lies, in the way that
    ``GradScaler`` tells it of an overflow; for any other it must be read here.
    """
    if isinstance(broken, torch.Tensor) and optimizer.defaults.get("fused"):
        optimizer.grad_scale, optimizer.found_inf = None, broken.float()  # type: ignore[attr-defined]  # as GradScaler does
        optimizer.step()
    elif not broken:
        optimizer.step()


def step_scaled(scaler: torch.amp.GradScaler, optimizer: torch.optim.Optimizer) -> bool:
    """Update the weights in fp16 unless the gradient overflowed; says whether it did update.

    An overflow is part of fp16's normal work: the scale is halved and training goes on.
    """
    scale = scaler.get_scale()
    scaler.step(optimizer)
    scaler.update()
    if scaler.get_scale() < min(scale, 2.0**-14):
        raise FloatingPointError(
            "The fp16 loss scale fell below 2**-14: the gradient overflows whatever "
            "the scale. Use precision='bf16' or 'fp32', or a lower learning rate."
        )
    return scaler.get_scale() >= scale
