"""Memory of a training step: on paper, measured, and as an explorer that is live in the page.

The estimate is for models of GPT-2's architecture without dropout, with fused attention, whose
weights are fp32; precisions other than fp32 mean ``torch.autocast``.
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import nn
from torch.autograd.graph import saved_tensors_hooks

from lmtune.arguments import refuse
from lmtune.data.kinds import Batch
from lmtune.devices.precision import autocast
from lmtune.training.losses import next_token_loss

GIB = 2**30
#: What PyTorch can use of a T4, in GiB.
T4 = 14.5
#: Bytes that each optimizer keeps for a trained parameter.
STATE = {"sgd": 0, "momentum": 4, "adamw": 8}


class Shape(NamedTuple):
    """The sizes of a model of GPT-2's architecture with tied embeddings."""

    layers: int
    width: int
    vocabulary: int
    positions: int

    @property
    def parameters(self) -> int:
        """Embeddings, 12 width² + 13 width in each layer, and the last norm."""
        d = self.width
        return (self.vocabulary + self.positions) * d + self.layers * (12 * d * d + 13 * d) + 2 * d


SHAPES = {
    "pocket-mini": Shape(2, 128, 4096, 256),
    "pocket": Shape(4, 256, 4096, 256),
    "gpt2": Shape(12, 768, 50257, 1024),
    "gpt2-medium": Shape(24, 1024, 50257, 1024),
    "gpt2-large": Shape(36, 1280, 50257, 1024),
    "gpt2-xl": Shape(48, 1600, 50257, 1024),
}


class Estimate(NamedTuple):
    """Bytes."""

    weights: float
    gradients: float
    optimizer: float
    activations: float

    @property
    def total(self) -> float:
        """The four together."""
        return sum(self)


def shape_of(model: nn.Module) -> Shape:
    """The sizes of a loaded GPT-2."""
    c = model.config
    return Shape(c.n_layer, c.n_embd, c.vocab_size, c.n_positions)


def estimate(
    shape: Shape, tokens: int, *, optimizer: str = "adamw", precision: str = "fp32", checkpointing: bool = False
) -> Estimate:
    """What training needs at the moment when the forward pass ends, for a micro-batch of ``tokens``.

    All parameters are trained.  Half precision adds a half copy of the weights, which autocast
    makes for the forward pass.
    """
    refuse(optimizer not in STATE, "optimizer", optimizer, "one of " + ", ".join(map(repr, STATE)))
    n, half = shape.parameters, precision != "fp32"
    return Estimate(
        n * (6 if half else 4), 4 * n, STATE[optimizer] * n, tokens * activation_bytes(shape, precision, checkpointing)
    )


def activation_bytes(shape: Shape, precision: str = "fp32", checkpointing: bool = False) -> int:
    """What the backward pass needs of one token's forward pass, in bytes.

    A layer keeps 16 numbers for each unit of width: the inputs of two norms and two copies after
    them, query, key, value, what attention gave, and four times the width before and after the
    activation function.  In half precision all but the norms' inputs have two bytes.  With
    checkpointing a layer keeps its input alone, and one layer at a time is computed again.  The
    head keeps log-probabilities over the vocabulary in fp32, however the rest is computed.
    """
    refuse(precision not in ("fp32", "bf16", "fp16"), "precision", precision, "'fp32', 'bf16' or 'fp16'")
    layer, head = (64, 8) if precision == "fp32" else (36, 6)
    layers = 4 * shape.layers + layer if checkpointing else layer * shape.layers
    return shape.width * (layers + head) + 4 * shape.vocabulary


def saved_bytes(model: nn.Module, batch: Batch, precision: str = "fp32", loss=next_token_loss) -> int:
    """Measure what a forward pass keeps for the backward pass, in bytes, parameters not counted.

    Each storage once, through ``torch.autograd.graph.saved_tensors_hooks``; it is the same on every
    device and needs no GPU.  The model stays in the mode that it is in.
    """
    known = {t.untyped_storage().data_ptr() for t in [*model.parameters(), *model.buffers()]}
    kept: dict[int, torch.Tensor] = {}  # the tensors too, or freed storages would be counted twice

    def keep(tensor: torch.Tensor) -> torch.Tensor:
        storage = tensor.untyped_storage()
        if storage.data_ptr() not in known:
            kept[storage.data_ptr()] = tensor
        return tensor

    with saved_tensors_hooks(keep, lambda tensor: tensor), autocast(precision, batch["input_ids"].device):
        total, _ = loss(model, batch)
    del total
    return sum(t.untyped_storage().nbytes() for t in kept.values())
