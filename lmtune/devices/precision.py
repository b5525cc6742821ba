"""Which number format a model computes in.

Weights, gradients and the optimizer stay in fp32; ``torch.autocast`` runs the matrix
products in half the bits where that is faster (Micikevicius et al. 2018,
arXiv:1710.03740).  bf16 has fp32's range and needs nothing more; fp16's smallest
numbers would turn into zero, so a ``GradScaler`` multiplies the loss before the
backward pass and divides the gradients after it.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, nullcontext

import torch
from torch import nn

#: What :class:`lmtune.Config` accepts as ``precision``.
PRECISIONS = ("auto", "fp32", "bf16", "fp16")

_HALF = {"bf16": torch.bfloat16, "fp16": torch.float16}


def resolve(precision: str, device: torch.device) -> str:
    """What ``"auto"`` means on a device: bf16 where a GPU has it in hardware, fp16 on older GPUs,
    fp32 on the CPU, where bf16 is quick on few processors and its numbers differ between them."""
    if precision != "auto":
        return precision
    if device.type != "cuda":
        return "fp32"
    # Without the argument a T4 says yes, and computes bf16 by emulation, slowly.
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def autocast(precision: str, device: torch.device) -> AbstractContextManager:
    """The context for a forward pass; for ``"fp32"`` it does nothing."""
    precision = resolve(precision, device)
    return torch.autocast(device.type, _HALF[precision]) if precision in _HALF else nullcontext()


def refuse_half_weights(model: nn.Module) -> None:
    """Refuse to train weights that are stored in half precision."""
    for name, parameter in model.named_parameters():
        if parameter.requires_grad and parameter.dtype in _HALF.values():
            raise ValueError(
                f"The weights of {name!r} are {parameter.dtype}, whose steps are so coarse that most updates "
                "would be rounded away. Call model.float() first; precision='auto' still computes in half "
                "precision where that is faster."
            )
