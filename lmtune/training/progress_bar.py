"""The progress bar of a run."""

from __future__ import annotations

import time

from torch import nn
from tqdm.auto import tqdm

from lmtune import bars
from lmtune.devices import throughput
from lmtune.devices.distributed import rank_and_size
from lmtune.training.history import Evaluated, Step

#: Seconds between two changes of the text.
EVERY = 0.5


class Bar:
    """Shows loss, rate, tokens per second, memory and the time left while events come in."""

    def __init__(self, model: nn.Module, total: int, shown: bool):
        self._model = model
        self._bar = tqdm(total=total, desc="fit", unit="step", leave=False, **bars.shown(shown))
        self._tokens, self._since, self._next = 0, time.perf_counter(), 0.0
        self._validation = ""

    def show(self, event: Step | Evaluated) -> None:
        """Take note of an event; the text changes about twice a second."""
        if self._bar.disable:
            return
        if isinstance(event, Evaluated):
            self._validation = f", validation {event.result.loss:.3f}"
            return
        if self._tokens == 0:  # a resumed run begins further on
            self._bar.initial = self._bar.n = event.step - 1
        self._bar.update()
        self._tokens += event.tokens
        now = time.perf_counter()
        if now >= self._next:
            self._next = now + EVERY
            self._bar.set_postfix_str(self._text(event, now - self._since), refresh=False)

    def _text(self, event: Step, seconds: float) -> str:
        speed = self._tokens / max(1e-9, seconds)
        device = next(self._model.parameters()).device
        memory, used = throughput.peak_memory(device), None
        if throughput.peak_flops(device) is not None:
            used = throughput.mfu(self._model, speed / rank_and_size()[1])
        return (
            f"loss {event.loss:.3f}{self._validation}, rate {event.lr:.1e}, {speed:,.0f} tokens/s"
            + (f", {memory:.1f} GiB" if memory is not None else "")
            + (f", MFU {used:.0%}" if used is not None else "")
        )

    def __enter__(self) -> Bar:
        return self

    def __exit__(self, *_: object) -> None:
        self._bar.close()
