"""lmtune: fine-tuning language models in PyTorch, small enough to read.

The public names are listed in ``__all__``; each is imported when it is first
used, so that ``import lmtune`` stays quick.
"""
from importlib import import_module as _import_module

__version__ = "0.1.0"

_HOME = {
    "load": "models",
    "classifier": "models",
    "load_encoder": "encoder",
    "embed": "encoder",
    "add_lora": "lora",
    "merge_lora": "lora",
    "add_tokens": "new_tokens",
    "language_modelling": "tasks",
    "classification": "tasks",
    "summarization": "tasks",
    "windows": "data",
    "pairs": "data",
    "labelled": "data",
    "disjoint": "data",
    "pack": "packing",
    "next_token_loss": "losses",
    "classification_loss": "losses",
    "smoothed": "losses",
    "penalized": "losses",
    "anchored": "losses",
    "distilled": "losses",
    "Config": "config",
    "fit": "loop",
    "run": "loop",
    "range_test": "lr_range",
    "search": "hyperparameters",
    "Float": "search_space",
    "Integer": "search_space",
    "evaluate": "evaluation",
    "generate": "generation",
    "History": "history",
    "claim": "claims",
    "explore": "explorer",
    "check": "exercises",
    "hint": "progress_card",
    "card": "progress_card",
    "passed": "progress_card",
    "show": "plots",
    "figure": "plots",
}
__all__ = sorted(_HOME)


def __getattr__(name: str):
    if name not in _HOME:
        raise AttributeError(f"lmtune has no {name!r}; it has: {', '.join(__all__)}")
    value = getattr(_import_module(f"lmtune.{_HOME[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
