"""What :func:`lmtune.run` yields."""
from __future__ import annotations

from typing import NamedTuple

from lmtune.evaluation import Evaluation


class Step(NamedTuple):
    """One update of the weights."""

    step: int  #: how many updates have been made, this one included
    loss: float  #: mean loss in nats over all labels of the update
    labels: int  #: how many labels that were
    tokens: int  #: how many tokens were read, padding not counted
    lr: float  #: the rate that this update used
    norm: float  #: norm of the gradient before clipping
    skipped: bool  #: whether fp16 overflowed, so that the weights stayed
    seconds: float  #: since the run began


class Evaluated(NamedTuple):
    """One look at the validation data."""

    step: int  #: how many updates had been made
    result: Evaluation  #: of the whole validation data
