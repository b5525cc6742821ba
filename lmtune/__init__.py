"""lmtune: fine-tuning language models in PyTorch, small enough to read.

The public names are listed in ``__all__``; each is imported when it is first
used, so that ``import lmtune`` stays quick.
"""

from importlib import import_module as _import_module

__version__ = "0.1.0"

_HOME = {
    "load": "models.loading",
    "classifier": "models.classifier",
    "load_encoder": "models.encoder",
    "embed": "models.encoder",
    "add_lora": "models.lora",
    "merge_lora": "models.lora",
    "add_tokens": "models.vocabulary",
    "language_modelling": "data.tasks",
    "classification": "data.tasks",
    "summarization": "data.tasks",
    "windows": "data.examples",
    "pairs": "data.examples",
    "labelled": "data.examples",
    "disjoint": "data.wellformed",
    "pack": "data.packing",
    "next_token_loss": "training.losses",
    "classification_loss": "training.losses",
    "smoothed": "training.losses",
    "penalized": "training.losses",
    "anchored": "training.losses",
    "distilled": "training.losses",
    "Config": "training.config",
    "fit": "training.loop",
    "run": "training.loop",
    "range_test": "diagnostics.range_test",
    "search": "hpo.search",
    "Float": "hpo.space",
    "Integer": "hpo.space",
    "evaluate": "training.evaluation",
    "generate": "models.generation",
    "History": "training.history",
    "claim": "notebook.claims",
    "compare": "notebook.comparison",
    "explore": "notebook.explorer",
    "check": "chapters.registry",
    "check_notebook": "notebook.homework",
    "hint": "chapters.card",
    "card": "chapters.card",
    "passed": "chapters.card",
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
