"""How a wrong setting is refused, and how a progress bar is turned off: the same in all modules."""
from __future__ import annotations


def refuse(wrong: bool, name: str, given, allowed: str) -> None:
    """Raise ``ValueError`` when ``wrong``, saying what was given and what is allowed."""
    if wrong:
        raise ValueError(f"{name} is {given!r}; allowed: {allowed}.")
