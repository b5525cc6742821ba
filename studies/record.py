"""How the result of a study is recorded: with its design, versions, kind of machine, date and cost."""

from __future__ import annotations

import json
import math
import os
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

import lmtune

#: The chapters' rooms in the package; a record stands in ``CHAPTER/recorded/STUDY.json``.
FOLDER = Path(lmtune.__file__).parent / "chapters"


def write(study: str, design: dict, results: dict, cpu_seconds: float, libraries=(), compact: bool = False) -> Path:
    """Write ``CHAPTER/recorded/STUDY.json``, and return its path; a loss that is infinite is recorded as "diverged".

    Args:
        study: the chapter and the module in its ``studies`` that made it, such as ``"optimization/norms"``.
        libraries: names of further libraries whose versions matter.
        compact: a run to a line, for records of thousands of runs.
    """
    chapter, name = study.split("/")
    record = {
        "made by": f"python -m chapters.{chapter}.studies.{name}",
        "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, CPU, {torch.get_num_threads()} thread(s) of {os.cpu_count()}",
        "versions": {
            "torch": torch.__version__,
            **{library: version(library) for library in ("transformers", *libraries)},
            "lmtune": lmtune.__version__,
            "python": platform.python_version(),
        },
        "CPU seconds": round(cpu_seconds),
        "design": design,
        "results": results,
    }
    text = json.dumps(_with_words(record), indent=None if compact else 1)
    if compact:
        text = text.replace('"results"', '\n"results"').replace("}, {", "},\n{")
    path = FOLDER / chapter / "recorded" / f"{name}.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text + "\n", encoding="utf-8")
    print(f"wrote {study}.json after {record['CPU seconds']} CPU-seconds")
    return path


def _with_words(value):
    """The same value with "diverged" for an infinite number, which JSON has not."""
    if isinstance(value, dict):
        return {name: _with_words(one) for name, one in value.items()}
    if isinstance(value, (list, tuple)):
        return [_with_words(one) for one in value]
    return "diverged" if isinstance(value, float) and math.isinf(value) else value
