"""Setting dropout on a model that is already loaded, where it takes effect.

A model reads its configuration once, when it is built: a rate written into
``model.config`` afterwards changes nothing, and a field that the architecture
does not know is kept in silence.
"""

from __future__ import annotations

import re

from torch import nn

from lmtune.arguments import BELOW_ONE, finite

#: Rates that some modules hold as a plain number, such as Llama's ``attention_dropout``.
#: Dropping whole layers or paths is another technique and stays as it is.
_RATE = re.compile(r"(?!.*(layer|path)).*(dropout|pdrop)")


def set_dropout(model: nn.Module, rate: float) -> list[str]:
    """Give every place where ``model`` drops activations the same ``rate``, and name the places.

    Changes the modules themselves, and the fields of ``model.config`` that speak of
    dropout, so that a saved copy agrees.  Dropout acts in training mode alone
    (Srivastava et al. 2014, JMLR 15).

    Raises ``ValueError`` when the rate is outside [0, 1) or the model drops nothing anywhere.
    """
    rate, places = finite("rate", rate, *BELOW_ONE), []
    for name, module in model.named_modules():
        if isinstance(module, nn.modules.dropout._DropoutNd):
            module.p = rate
            places.append(name or type(module).__name__)
            continue
        for field in _rates(module):
            setattr(module, field, rate)
            places.append(f"{name}.{field}".lstrip("."))
    if not places:
        raise ValueError(
            f"{type(model).__name__} has no place that drops anything, so a rate would do "
            "nothing; put nn.Dropout into the model where it is built."
        )
    config = getattr(model, "config", None)
    for field in _rates(config) if config is not None else ():
        setattr(config, field, rate)
    return places


def _rates(thing: object) -> list[str]:
    """The attributes of a module or configuration that hold a dropout rate as a number."""
    return [
        name
        for name, value in vars(thing).items()
        if _RATE.fullmatch(name) and isinstance(value, (int, float)) and not isinstance(value, bool)
    ]
