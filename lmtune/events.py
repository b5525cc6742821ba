"""What :func:`lmtune.run` yields."""
from __future__ import annotations

from typing import NamedTuple

from lmtune.evaluation import Evaluation


class Step(NamedTuple):
    """One update of the weights."""

    step: int  #: the update's number, from 1
    loss: float  #: mean loss in nats over all labels of the update; 0 where there is none
    labels: int  #: how many labels that were
    tokens: int  #: how many tokens were read, padding not counted
    lr: float  #: the rate that this update used
    norm: float  #: norm of the gradient before clipping
    skipped: bool  #: whether fp16 overflowed, so that the weights stayed
    seconds: float  #: since the run began


class Evaluated(NamedTuple):
    """One look at the validation data."""

    step: int  #: the number of the update before it, 0 at the start
    result: Evaluation  #: of the whole validation data
