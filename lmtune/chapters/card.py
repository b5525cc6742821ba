"""Hints that open one at a time, and a card that says how far one has come: plain text throughout."""

from __future__ import annotations

import textwrap

from lmtune.chapters import kept, registry
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


def card(part: str | None = None, *, forget: bool = False) -> None:
    """Print how far one has come in a chapter or a homework (``"homework/NAME"``), one line each.

    Without ``part`` it prints one line for each part that has exercises.  In a notebook the card
    outlives the kernel: the last verdict of each exercise, with its day and without any code, is
    kept in ``progress.json`` of the user's data folder (``LMTUNE_PROGRESS`` names another folder, or
    says ``off``), and the card says what comes from there.  On Colab that folder goes with the
    machine, after some hours, and the card begins anew.

    Args:
        part: such as ``"regularization"`` or ``"homework/schedule"``.
        forget: whether to forget what was checked, of that part or of all, instead of printing it.

    Raises ``ValueError`` when there is no such part.
    """
    parts = _parts()
    if part is not None and part not in parts:
        raise ValueError(f"There is no part {part!r}; there are: {', '.join(parts)}.")
    chosen = parts if part is None else {part: parts[part]}
    if forget:
        _forget([name for names in chosen.values() for name in names])
        print(f"{part or 'all parts'}: forgotten.")
        return
    before = kept.read()
    for name, exercises in chosen.items():
        _print_part(name, exercises, before, whole=part is not None)


def _print_part(part: str, names: list[str], before: dict[str, dict[str, str]], whole: bool) -> None:
    """The line of a part, and those of its exercises where the whole card is asked for."""
    states = {name: registry.LAST.get(name, NOT_CHECKED) for name in names}
    # A cell whose answer is still missing says nothing about what passed yesterday.
    earlier = {n: before[n] for n, state in states.items() if n in before and state in (NOT_CHECKED, ex.NOT_ATTEMPTED)}
    states |= {name: entry["status"] for name, entry in earlier.items()}
    done = [name for name, state in states.items() if state == ex.PASSED]
    old = sum(name in earlier for name in done)
    print(f"{part}: {len(done)} of {len(names)} passed{f', {old} of them in an earlier session' if old else ''}.")
    for name, state in states.items() if whole else ():
        opened = OPENED.get(name, 0)
        said = f", {opened} {'hint' if opened == 1 else 'hints'} opened" if opened else ""
        when = f" (in an earlier session, {earlier[name]['when']})" if name in earlier else ""
        print(f"  {name.partition('/')[2]}: {state}{when}{said}.")


def _forget(names: list[str]) -> None:
    kept.forget(names)
    for name in names:
        registry.LAST.pop(name, None)
        OPENED.pop(name, None)


def _parts() -> dict[str, list[str]]:
    """The exercises of each part, by their full names."""
    from lmtune.chapters.homework import HOMEWORK

    known = {
        chapter: [f"{chapter}/{e.id}" for e in registry.exercises(chapter)]
        for chapter in registry.chapters()
        if chapter != "homework"
    }
    return known | {f"homework/{name}": [f"homework/{e.id}" for e in parts] for name, parts in HOMEWORK.items()}
