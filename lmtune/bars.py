"""Progress bars, and how they are turned off: the same in all modules."""

from __future__ import annotations


def shown(progress: bool) -> dict:
    """What to give to tqdm: without progress no bar, else whatever the user's TQDM_DISABLE says."""
    return {} if progress else {"disable": True}
