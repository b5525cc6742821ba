"""Hints that open one at a time, and a card that says how far one has come: plain text throughout."""

from __future__ import annotations

import textwrap

from lmtune.chapters import registry
from lmtune.exercises import exercise as ex

#: How many hints of each exercise have been opened since Python started.
OPENED: dict[str, int] = {}
NOT_CHECKED = "not checked yet"


def hint(exercise: str) -> None:
    """Print the next hint for ``exercise`` (``"chapter/exercise"``); each call opens one more.

    After the last hint all of them are printed again.  Raises ``ValueError`` when there
    is no such exercise.
    """
    hints = registry.find(exercise).hints
    if not hints:
        print("This exercise has no hints to open; check your answer, and it hints at your very mistake.")
        return
    opened = OPENED.get(exercise, 0)
    OPENED[exercise] = min(opened + 1, len(hints))
    places = [opened] if opened < len(hints) else range(len(hints))
    for i in places:
        print(textwrap.fill(f"hint {i + 1} of {len(hints)}: {hints[i]}", ex.WIDTH, subsequent_indent="  "))


def passed(*names: str) -> bool:
    """Whether the last check of each of these exercises passed, since Python started."""
    return all(registry.LAST.get(name) == ex.PASSED for name in names)


def card(part: str) -> None:
    """Print how far one has come in a chapter or a homework (``"homework/NAME"``), one line each.

    The card knows what was checked since Python started, and says so in sentences that
    read well aloud.  Raises ``ValueError`` when there is no such part.
    """
    names = _names(part)
    states = {name: registry.LAST.get(name, NOT_CHECKED) for name in names}
    done = sum(state == ex.PASSED for state in states.values())
    print(f"{part}: {done} of {len(names)} passed.")
    for name, state in states.items():
        opened = OPENED.get(name, 0)
        said = f", {opened} {'hint' if opened == 1 else 'hints'} opened" if opened else ""
        print(f"  {name.partition('/')[2]}: {state}{said}.")


def _names(part: str) -> list[str]:
    from lmtune.chapters.homework import HOMEWORK

    known = {f"homework/{name}": [f"homework/{e.id}" for e in parts] for name, parts in HOMEWORK.items()}
    known |= {
        chapter: [f"{chapter}/{e.id}" for e in registry.exercises(chapter)]
        for chapter in registry.chapters()
        if chapter != "homework"
    }
    if part not in known:
        raise ValueError(f"There is no part {part!r}; there are: {', '.join(known)}.")
    return known[part]
