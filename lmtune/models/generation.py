"""Writing text with a model."""

from __future__ import annotations

import functools
from contextlib import contextmanager

import torch

from lmtune.arguments import ABOVE_ZERO_TO_ONE, NOT_NEGATIVE, finite, refuse_unstorable, whole
from lmtune.data.reach import Reach, reach_of
from lmtune.data.special_tokens import end_of_text, start_of_text, without_start
from lmtune.models.modes import evaluating


@torch.no_grad()
def generate(
    model,
    tokenizer,
    prompt: str = "",
    *,
    max_new_tokens: int = 60,
    temperature: float = 0.0,
    top_p: float = 1.0,
    seed: int = 0,
) -> str:
    """Continue ``prompt`` and return prompt and continuation; of an encoder with a decoder, its answer alone.

    With ``temperature=0`` the likeliest token is taken each time (greedy); above it,
    tokens are drawn from the smallest set of likeliest ones whose probabilities
    reach ``top_p`` (Holtzman et al. 2020).  The global random state is left alone.
    The text ends at the model's end-of-text token, after ``max_new_tokens``, or where
    the model's context is full.
    """
    if not isinstance(prompt, str):
        raise TypeError(f"prompt is a {type(prompt).__name__}; give a str.")
    refuse_unstorable(prompt, "The prompt")
    max_new_tokens = whole("max_new_tokens", max_new_tokens)
    temperature = finite("temperature", temperature, *NOT_NEGATIVE)
    top_p = finite("top_p", top_p, *ABOVE_ZERO_TO_ONE)
    decoding = {"max_new_tokens": max_new_tokens, "do_sample": temperature > 0}
    if temperature > 0:
        decoding |= {"temperature": temperature, "top_p": top_p, "top_k": 0}
    device = next(model.parameters()).device
    devices = [device] if device.type == "cuda" else []
    with evaluating(model), torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)
        write = _answer if model.config.is_encoder_decoder else _continue
        return write(model, tokenizer, prompt, decoding)


def _continue(model, tokenizer, prompt: str, decoding: dict) -> str:
    """The prompt and what a causal model writes behind it."""
    asked = tokenizer(without_start(prompt, tokenizer), add_special_tokens=False, verbose=False)["input_ids"]
    ids = [start_of_text(tokenizer), *asked]
    limit = _refuse_beyond_reach(model, ids).positions
    room = decoding["max_new_tokens"] if limit is None else min(decoding["max_new_tokens"], limit - len(ids))
    if room < 1:
        raise ValueError(
            f"The prompt has {len(ids)} tokens with the one that leads it and the model reads {limit}, those that it "
            "writes among them; shorten the prompt."
        )
    written = _written(model, tokenizer, ids, {**decoding, "max_new_tokens": room})[len(ids) :]
    # Decoded together, because some tokenizers drop the blank before a first token.
    text, start = tokenizer.decode([*asked, *written]), tokenizer.decode(asked)
    return prompt + text[len(start) :] if text.startswith(start) else text


def _answer(model, tokenizer, prompt: str, decoding: dict) -> str:
    """What the decoder writes of what the encoder has read."""
    config, own = model.config, model.generation_config
    start = own.decoder_start_token_id if own.decoder_start_token_id is not None else config.decoder_start_token_id
    ids = tokenizer(prompt, verbose=False)["input_ids"]
    written = _refuse_beyond_reach(model, ids).written
    room = decoding["max_new_tokens"] if written is None else min(decoding["max_new_tokens"], written - 1)
    decoding = {**decoding, "decoder_start_token_id": start, "max_new_tokens": room}
    return tokenizer.decode(_written(model, tokenizer, ids, decoding)[1:], skip_special_tokens=True)


def _written(model, tokenizer, ids: list[int], decoding: dict) -> list[int]:
    """All ids that the model gives, without the token that ends a text."""
    inputs = torch.tensor([ids], device=next(model.parameters()).device)
    ends = ends_of_text(model, tokenizer)
    settings = {**decoding, "pad_token_id": end_of_text(tokenizer), "eos_token_id": ends}
    with _own_settings(model, settings), _own_positions(model):
        out = model.generate(inputs, attention_mask=torch.ones_like(inputs))[0].tolist()
    return out[:-1] if len(out) > 1 and out[-1] in ends else out


def ends_of_text(model, tokenizer) -> list[int]:
    """The ids at which generation stops: the token that ends a text in rows, with others that the model's own
    settings name beside it (a chat model may have several)."""
    end = end_of_text(tokenizer)
    own = getattr(getattr(model, "generation_config", None), "eos_token_id", None)
    own = own if isinstance(own, list) else [own]
    return own if end in own else [end]


def stop_at_end_of_text(model, tokenizer) -> None:
    """Write :func:`ends_of_text` into the settings that are saved with the model, for whoever loads it without lmtune."""
    if getattr(model, "generation_config", None) is not None:
        ends = ends_of_text(model, tokenizer)
        model.generation_config.eos_token_id = ends if len(ends) > 1 else ends[0]


def _refuse_beyond_reach(model, ids: list[int]) -> Reach:
    """What the model can read; ``ValueError`` for ids that it cannot."""
    reach = reach_of(model)
    if reach.vocabulary is not None and ids and max(ids) >= reach.vocabulary:
        raise ValueError(
            f"The prompt has the token id {max(ids)} and the model knows {reach.vocabulary}; use the tokenizer that "
            "came with the model, or give the model rows for new tokens with lmtune.add_tokens."
        )
    if reach.decoder and reach.positions is not None and len(ids) > reach.positions:
        raise ValueError(f"The prompt has {len(ids)} tokens and the model reads {reach.positions}; shorten the prompt.")
    return reach


@contextmanager
def _own_settings(model, settings: dict):
    """Generate by ``settings`` alone: a model may bring its own, such as a repetition penalty."""
    from transformers import GenerationConfig

    kept, model.generation_config = model.generation_config, GenerationConfig(**settings)
    try:
        yield
    finally:
        model.generation_config = kept


@contextmanager
def _own_positions(model):
    """Let a model number its positions itself where it does not begin with 0.

    transformers 5.23 numbers them from 0 for every model that it generates with, so that RoBERTa would read other
    rows than in training.
    """
    if not reach_of(model).first:
        yield
        return
    given = model.prepare_inputs_for_generation

    @functools.wraps(given)  # transformers asks it what it takes
    def without_positions(*inputs, **more):
        return {name: value for name, value in given(*inputs, **more).items() if name != "position_ids"}

    model.prepare_inputs_for_generation = without_positions
    try:
        yield
    finally:
        del model.prepare_inputs_for_generation
