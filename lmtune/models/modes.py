"""The modes that a model and torch are in while a run lasts, and how they come back."""

from __future__ import annotations

import inspect
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import torch
from torch import nn

if TYPE_CHECKING:
    from lmtune.training.config import Config


@contextmanager
def training(model: nn.Module, config: Config) -> Iterator[None]:
    """Training mode and the modes of ``config`` inside; afterwards everything is as it was,
    but for compilation, which stays with the model."""
    # In place: torch.compile(model) would give a second module whose saved keys begin with _orig_mod.
    if config.compile and model._compiled_call_impl is None:
        model.compile()
    try:
        with (
            _own_flags(model),
            _deterministic(config.deterministic),
            _checkpointing(model, config.gradient_checkpointing),
        ):
            model.train()
            yield
    finally:
        for parameter in model.parameters():
            parameter.grad = None  # as large as the weights, and nobody's use


@contextmanager
def evaluating(model: nn.Module) -> Iterator[nn.Module]:
    """Put ``model`` in evaluation mode; on leaving, each module gets its own flag back."""
    with _own_flags(model):
        model.eval()
        yield model


@contextmanager
def _own_flags(model: nn.Module) -> Iterator[None]:
    """Each module's training flag is afterwards what it was."""
    flags = {module: module.training for module in model.modules()}
    try:
        yield
    finally:
        for module, flag in flags.items():
            module.training = flag


def seed_update(seed: int, step: int, rank: int, device: torch.device) -> None:
    """Random numbers (dropout) that depend on the update alone.

    So a resumed run needs no saved random state, and what the caller draws between two updates
    changes nothing.  Each process of several draws its own.
    """
    mixed = (seed * 1_000_003 + step * 8_191 + rank * 131_071 + 1) % 2**32
    torch.default_generator.manual_seed(mixed)
    if device.type == "cuda":
        with torch.cuda.device(device):
            torch.cuda.manual_seed(mixed)


def refuse_no_checkpointing(model: nn.Module, wanted: bool = True) -> Any:
    """The part of a model that can compute its activations again; ``ValueError`` where it is wanted and is not there."""
    inner = next((m for m in model.modules() if getattr(m, "supports_gradient_checkpointing", False)), None)
    if wanted and inner is None:
        raise ValueError(
            f"gradient_checkpointing is True and {type(model).__name__} has no support for it; "
            "give False, or a model of transformers that has."
        )
    return inner


@contextmanager
def _checkpointing(model: nn.Module, wanted: bool) -> Iterator[None]:
    inner = refuse_no_checkpointing(model, wanted)
    if not wanted or any(getattr(m, "gradient_checkpointing", False) for m in inner.modules()):
        yield  # not asked for, or the caller has it on already
        return
    # transformers 5.23 renamed these; the old names will go.
    enable = getattr(inner, "activation_checkpointing_enable", None) or inner.gradient_checkpointing_enable
    disable = getattr(inner, "activation_checkpointing_disable", None) or inner.gradient_checkpointing_disable
    # The reentrant kind gives no gradients where the embeddings are frozen, as under LoRA.
    enable(**{_keyword(enable): {"use_reentrant": False}})
    try:
        yield
    finally:
        disable()


def _keyword(enable) -> str:
    return next(name for name in inspect.signature(enable).parameters if name.endswith("checkpointing_kwargs"))


@contextmanager
def _deterministic(wanted: bool) -> Iterator[None]:
    if not wanted:
        yield
        return
    before = torch.are_deterministic_algorithms_enabled(), torch.is_deterministic_algorithms_warn_only_enabled()
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS demands it
    torch.use_deterministic_algorithms(True)
    try:
        yield
    finally:
        torch.use_deterministic_algorithms(before[0], warn_only=before[1])
