"""The chapters' rooms in the package: exercises and recorded results, and what finds them."""

from __future__ import annotations

import json
from importlib.resources import files

from lmtune.arguments import refuse


def recorded(name: str) -> dict:
    """The record of a study by its chapter and name, such as ``"optimization/schedules"``.

    It stands in ``lmtune/chapters/CHAPTER/recorded/STUDY.json``.
    """
    known = {
        f"{room.name}/{path.name[:-5]}": path
        for room in files(__name__).iterdir()
        if (room / "recorded").is_dir()
        for path in (room / "recorded").iterdir()
    }
    refuse(name not in known, "name", name, f"one of {', '.join(sorted(known))}")
    return json.loads(known[name].read_text(encoding="utf-8"))
