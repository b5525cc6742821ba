"""Ctrl-C during a run: the first ends it after the update at hand, the second at once."""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def asked_to_stop() -> Iterator[Callable[[], bool]]:
    """Inside, the first Ctrl-C only makes the given function return True; a second one raises
    ``KeyboardInterrupt``.  Whoever else waits for Ctrl-C, as a search does that is made of runs, hears of the
    first one when the run has ended.  Outside the main thread, Python lets nobody catch it."""
    asked = False

    def note(number: int, frame: FrameType | None) -> None:
        nonlocal asked
        if asked:
            signal.default_int_handler(number, frame)
        asked = True

    if threading.current_thread() is not threading.main_thread():
        yield lambda: False
        return
    before = signal.signal(signal.SIGINT, note)
    try:
        yield lambda: asked
    finally:
        signal.signal(signal.SIGINT, before)
    if asked and callable(before) and before is not signal.default_int_handler:
        before(signal.SIGINT, None)
