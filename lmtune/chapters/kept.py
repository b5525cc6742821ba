"""What checks said in earlier sessions: one small file of names, verdicts and days, and never any code.

It is kept only where a reader works: in a kernel of Jupyter.  ``LMTUNE_PROGRESS`` names another folder for it, also
elsewhere, or says ``off``.  Whatever is wrong with the file, a check goes on: what cannot be read counts as empty, and
what cannot be written is not kept.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import date
from pathlib import Path

from lmtune.exercises.exercise import NOT_YET, PASSED
from lmtune.files import write_whole

OFF = "off"


def place() -> Path | None:
    """The file, or None where nothing is kept."""
    folder = os.environ.get("LMTUNE_PROGRESS", "")
    if folder.strip().lower() == OFF or not (folder or _in_a_kernel()):
        return None
    if folder:
        return Path(folder) / "progress.json"
    base = os.environ.get("XDG_DATA_HOME") or Path.home() / ".local" / "share"
    return Path(base) / "lmtune" / "progress.json"


def _in_a_kernel() -> bool:
    """Whether somebody works in a notebook; a terminal of IPython has no kernel."""
    ipython = sys.modules.get("IPython")
    shell = ipython.get_ipython() if ipython else None
    return getattr(shell, "kernel", None) is not None


def read() -> dict[str, dict[str, str]]:
    """Of each exercise its last verdict (``status``) and the day (``when``)."""
    try:
        path = place()
        known = json.loads(path.read_text("utf-8")) if path else {}
    except (OSError, RuntimeError, ValueError, RecursionError):
        return {}
    return {name: entry for name, entry in known.items() if _sound(entry)} if isinstance(known, dict) else {}


def _sound(entry: object) -> bool:
    return (
        isinstance(entry, dict)
        and set(entry) == {"status", "when"}
        and entry["status"] in (PASSED, NOT_YET)
        and isinstance(entry["when"], str)
        and len(entry["when"]) == len("2026-01-31")
    )


def keep(exercise: str, status: str) -> None:
    """Keep a verdict; that nothing was attempted is none, and leaves an earlier one in place."""
    if status in (PASSED, NOT_YET):
        _write({**read(), exercise: {"status": status, "when": date.today().isoformat()}})


def forget(exercises: list[str]) -> None:
    """Forget these exercises."""
    _write({name: entry for name, entry in read().items() if name not in exercises})


def _write(known: dict[str, dict[str, str]]) -> None:
    try:
        path = place()
        if path:
            path.parent.mkdir(parents=True, exist_ok=True)
            write_whole(path, json.dumps(dict(sorted(known.items())), indent=1) + "\n")
    except (OSError, RuntimeError):
        pass
