"""A tabular benchmark: losses measured once, so that a search can be repeated for next to nothing.

Searches differ from one repetition to the next, and to compare two ways of searching takes dozens
of each.  Trained anew that would be days; looked up in a table it is seconds (Klein and Hutter 2019,
"Tabular benchmarks for joint architecture and hyperparameter optimization", arXiv:1905.04970).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import NamedTuple

import numpy

from lmtune.arguments import refuse


class Table(NamedTuple):
    """Losses in nats per token, measured at every combination of three settings.

    ``losses[i, j, k, l]`` is the validation loss with the rate ``rates[i]``, the warm-up
    ``warmups[j]`` (updates) and the weight decay ``decays[k]``, after ``looks[l]`` updates.
    """

    rates: numpy.ndarray
    warmups: numpy.ndarray
    decays: numpy.ndarray
    looks: tuple[int, ...]
    losses: numpy.ndarray

    @classmethod
    def of(cls, record: Mapping) -> Table:
        """The table of a record whose rows are rate, warm-up, decay and the losses at the looks."""
        rows = numpy.array(record["results"]["rows"], dtype=float)
        axes = [numpy.unique(rows[:, i]) for i in range(3)]
        order = numpy.lexsort(rows[:, 2::-1].T)
        shape = tuple(map(len, axes))
        refuse(
            math.prod(shape) != len(rows),
            "record",
            f"{len(rows)} rows",
            f"a row for each of the {math.prod(shape)} combinations",
        )
        return cls(*axes, tuple(record["design"]["looks"]), rows[order, 3:].reshape(*shape, -1))

    def curve(self, settings: Mapping) -> list[float]:
        """The losses at the looks.

        Between two rates of the table they are joined by a straight line in the rate's logarithm;
        of warm-up and decay (on its logarithm) the nearest is taken, and 0 and the middle when they
        are not given.
        """
        lr = settings["lr"]
        refuse(
            not 0.999 * self.rates[0] <= lr <= 1.001 * self.rates[-1],
            "lr",
            lr,
            f"from {self.rates[0]:g} to {self.rates[-1]:g}, the rates that were measured",
        )
        j = abs(self.warmups - settings.get("warmup", 0)).argmin()
        decay = settings.get("weight_decay", self.decays[len(self.decays) // 2])
        k = abs(numpy.log(self.decays / decay)).argmin()
        at = numpy.log(self.rates)
        return [float(numpy.interp(math.log(lr), at, column)) for column in self.losses[:, j, k].T]

    def objective(self, settings: Mapping, report: Callable[[int, float], None]) -> float:
        """An objective for :func:`lmtune.search`: it reports at each look, as a run would."""
        curve = self.curve(settings)
        for step, loss in zip(self.looks, curve):
            report(step, loss)
        return curve[-1]
