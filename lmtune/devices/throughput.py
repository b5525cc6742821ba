"""How fast a run is, and how much of the hardware it uses."""

from __future__ import annotations

import sys

import torch
from torch import nn

#: Dense matrix products in half precision, in FLOP/s, by the makers' data sheets (without sparsity).
PEAK_FLOPS = {
    "H200": 989e12,
    "H100 PCIe": 756e12,
    "H100": 989e12,
    "A100": 312e12,
    "L40S": 362e12,
    "L4": 121e12,
    "A10G": 70e12,
    "T4": 65e12,
    "V100": 125e12,
}


def peak_flops(device: torch.device) -> float | None:
    """The peak of a GPU in FLOP/s, or None where it is not known."""
    if device.type != "cuda":
        return None
    words = torch.cuda.get_device_name(device).replace("-", " ")
    return next(
        (peak for name, peak in PEAK_FLOPS.items() if all(word in words.split() for word in name.split())), None
    )


def flops_per_token(model: nn.Module, context: int = 0) -> float:
    """Floating-point operations of training on one token (Chowdhery et al. 2022, PaLM, appendix B).

    ``6 N + 12 L D T``: two operations a weight forward and four backward, and attention's own
    over ``context`` positions (0 leaves it out, for ragged text); embeddings that are only
    looked up do not count.
    """
    # What is only looked up is not multiplied; tied embeddings are, by the head.
    head = model.get_output_embeddings() if hasattr(model, "get_output_embeddings") else None
    kept = None if head is None else head.weight
    looked_up = {e.weight for e in model.modules() if isinstance(e, nn.Embedding) and e.weight is not kept}
    weights = sum(p.numel() for p in model.parameters()) - sum(w.numel() for w in looked_up)
    if not context:
        return 6.0 * weights
    config = model.config.get_text_config() if hasattr(model.config, "get_text_config") else model.config
    return 6.0 * weights + 12.0 * config.num_hidden_layers * config.hidden_size * context


def mfu(model: nn.Module, tokens_per_second: float, context: int = 0) -> float | None:
    """Model FLOPs utilization: the share of the peak that training uses; None where that is unknown."""
    peak = peak_flops(next(model.parameters()).device)
    return None if peak is None else tokens_per_second * flops_per_token(model, context) / peak


def peak_memory(device: torch.device) -> float | None:
    """The most memory held so far, in GiB: tensors on a GPU, the whole process on the CPU."""
    if device.type == "cuda":
        return torch.cuda.max_memory_allocated(device) / 2**30
    try:
        import resource
    except ImportError:  # Windows
        return None
    unit = 1 if sys.platform == "darwin" else 2**10
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * unit / 2**30
