"""Writing text with a model."""
from __future__ import annotations

from contextlib import contextmanager

import torch

from lmtune.data.examples import end_of_text, start_of_text
from lmtune.models.modes import evaluating


@torch.no_grad()
def generate(
    model, tokenizer, prompt: str = "", *, max_new_tokens: int = 60,
    temperature: float = 0.0, top_p: float = 1.0, seed: int = 0,
) -> str:
    """Continue ``prompt`` and return prompt and continuation.

    With ``temperature=0`` the likeliest token is taken each time (greedy); above it,
    tokens are drawn from the smallest set of likeliest ones whose probabilities
    reach ``top_p`` (Holtzman et al. 2020).  The global random state is left alone.
    The text ends at the model's end-of-text token, after ``max_new_tokens``, or where
    the model's context is full.
    """
    if not isinstance(prompt, str):
        raise TypeError(f"prompt is a {type(prompt).__name__}; give a str.")
    if not isinstance(max_new_tokens, int) or max_new_tokens < 1:
        raise ValueError(f"max_new_tokens is {max_new_tokens!r}; allowed: a whole number of at least 1.")
    if not (0 <= temperature < float("inf") and 0 < top_p <= 1):
        raise ValueError(f"temperature is {temperature} and top_p {top_p}; allowed: a temperature of "
                         "at least 0 and a top_p above 0 and at most 1.")
    device = next(model.parameters()).device
    asked = tokenizer(prompt, add_special_tokens=False, verbose=False)["input_ids"]
    ids = torch.tensor([[start_of_text(tokenizer), *asked]], device=device)
    limit = getattr(model.config, "max_position_embeddings", None)
    room = max_new_tokens if limit is None else min(max_new_tokens, limit - ids.shape[1])
    if room < 1:
        raise ValueError(f"The prompt has {ids.shape[1]} tokens with the one that leads it and "
                         f"the model reads {limit}; shorten the prompt.")
    settings = {"max_new_tokens": room, "do_sample": temperature > 0,
                "pad_token_id": end_of_text(tokenizer), "eos_token_id": tokenizer.eos_token_id}
    if temperature > 0:
        settings |= {"temperature": float(temperature), "top_p": float(top_p), "top_k": 0}
    devices = [device] if device.type == "cuda" else []
    with evaluating(model), _own_settings(model, settings), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        out = model.generate(ids, attention_mask=torch.ones_like(ids))
    written = out[0, ids.shape[1]:].tolist()
    if written and written[-1] == tokenizer.eos_token_id:
        written.pop()
    # Decoded together, because some tokenizers drop the blank before a first token.
    whole, start = tokenizer.decode([*asked, *written]), tokenizer.decode(asked)
    return prompt + whole[len(start):] if whole.startswith(start) else whole


@contextmanager
def _own_settings(model, settings: dict):
    """Generate by ``settings`` alone: a model may bring its own, such as a repetition penalty."""
    from transformers import GenerationConfig

    kept, model.generation_config = model.generation_config, GenerationConfig(**settings)
    try:
        yield
    finally:
        model.generation_config = kept
