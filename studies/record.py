"""How the result of a study is recorded: with its design, versions, kind of machine, date and cost."""
from __future__ import annotations

import json
import os
import platform
from datetime import date
from importlib.metadata import version
from pathlib import Path

import torch

import lmtune

FOLDER = Path(lmtune.__file__).parent / "recorded"


def write(study: str, design: dict, results: dict, cpu_seconds: float, libraries=(), compact: bool = False) -> None:
    """Write ``STUDY.json``; a loss that is infinite is recorded as "diverged".

    Args:
        study: the module in ``studies`` that made it.
        libraries: names of further libraries whose versions matter.
        compact: a run to a line, for records of thousands of runs.
    """
    record = {
        "made by": f"python -m studies.{study}", "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, CPU, {torch.get_num_threads()} thread(s) of {os.cpu_count()}",
        "versions": {"torch": torch.__version__,
                     **{library: version(library) for library in ("transformers", *libraries)},
                     "lmtune": lmtune.__version__, "python": platform.python_version()},
        "CPU seconds": round(cpu_seconds), "design": design, "results": results,
    }
    text = json.dumps(record, indent=None if compact else 1).replace("Infinity", '"diverged"')
    if compact:
        text = text.replace('"results"', '\n"results"').replace("}, {", "},\n{")
    FOLDER.mkdir(exist_ok=True)
    (FOLDER / f"{study}.json").write_text(text + "\n", encoding="utf-8")
    print(f"wrote {study}.json after {record['CPU seconds']} CPU-seconds")
