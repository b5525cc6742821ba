"""What a model can read and knows: the one place that asks its configuration and its tables."""

from __future__ import annotations

from typing import Any, NamedTuple

from torch import nn

#: Where configurations say how many tokens are read at once; the first that says so counts.
_READS = ("max_position_embeddings", "max_encoder_position_embeddings", "max_seq_len", "n_positions", "n_ctx")
#: The same of a decoder that reads what an encoder has read.
_WRITES = ("max_decoder_position_embeddings", *_READS)


class Reach(NamedTuple):
    """What a model can read; None where it has no limit or does not say."""

    positions: int | None = None  #: tokens at once
    vocabulary: int | None = None  #: how many ids it knows
    classes: int | None = None  #: how many classes its head tells apart
    decoder: bool = False  #: whether it writes with a decoder what an encoder has read
    written: int | None = None  #: tokens that such a decoder writes at most
    first: int = 0  #: the number of a text's first position: RoBERTa counts from behind its padding's


def reach_of(model: Any) -> Reach:
    """What a model can read, from its configuration (a nested one too), its tables and its head."""
    config, classes = getattr(model, "config", None), getattr(getattr(model, "head", None), "out_features", None)
    decoder = bool(getattr(config, "is_encoder_decoder", False)) and classes is None
    of_text = text_config(config)
    taken = getattr(model, "positions_taken", 0)  # by vectors before the text: lmtune.models.prompt_tuning
    limit = _said(of_text, _READS)
    first = _set_aside(model, limit)
    return Reach(
        positions=None if limit is None else limit - first - taken,
        vocabulary=_vocabulary(model, of_text),
        classes=classes,
        decoder=decoder,
        written=_said(of_text, _WRITES) if decoder else None,
        first=first,
    )


def text_config(config: Any) -> Any:
    """The part of a configuration that is about text: a model of text and pictures has several."""
    ask = getattr(config, "get_text_config", None)
    if ask is None or getattr(config, "is_encoder_decoder", False):
        return config
    return ask(decoder=True)


def _said(config: Any, names: tuple[str, ...]) -> int | None:
    said = (getattr(config, name, None) for name in names)
    return next((n for n in said if isinstance(n, int) and n > 0), None)  # XLNet says -1 for "any number"


def _set_aside(model: Any, limit: int | None) -> int:
    """Rows of a table of positions that no token gets."""
    modules = model.modules() if isinstance(model, nn.Module) else ()
    tables = [m for m in modules if isinstance(m, nn.Embedding) and m.num_embeddings == limit]
    return max((m.padding_idx + 1 for m in tables if m.padding_idx is not None and _of_positions(model, m)), default=0)


def _of_positions(model: nn.Module, table: nn.Embedding) -> bool:
    return any(m is table and "position" in name for name, m in model.named_modules())


def _vocabulary(model: Any, config: Any) -> int | None:
    """The rows of the table that tokens are looked up in; what the configuration says where none is found."""
    owner: Any  # a model of transformers, or a head around one
    for owner in (model, getattr(model, "base", None), getattr(getattr(model, "classifier", None), "base", None)):
        if hasattr(owner, "get_input_embeddings"):
            table = owner.get_input_embeddings()
            if isinstance(table, nn.Embedding):
                return table.num_embeddings
    return getattr(config, "vocab_size", None)
