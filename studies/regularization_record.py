"""What the studies of the chapter on regularization share: the field, and the record."""
from __future__ import annotations

import json
import os
import platform
from datetime import date
from pathlib import Path

import torch
import transformers

import lmtune

SEEDS = [0, 1, 2, 3, 4]
TUNING_SEED = 100  #: strengths are chosen with this seed, on the validation documents
CONTEXT, BATCH, STEPS, LR, WARMUP, EVERY = 64, 8, 40, 1e-3, 2, 5
FOLDER = Path(lmtune.__file__).parent / "recorded"


def field(tokenizer):
    """48 training windows of NetworkX's documentation, and windows to validate and to test on."""
    texts = lmtune.language_modelling("networkx")
    train = lmtune.windows(texts.train[::40], tokenizer, context=CONTEXT)[:48]
    seen = [w["input_ids"] for w in train]  # short windows, such as a lone heading, may repeat
    validation, test = (lmtune.windows(part[::3], tokenizer, context=CONTEXT)
                        for part in (texts.validation, texts.test))
    validation, test = ([w for w in part if w["input_ids"] not in seen] for part in (validation, test))
    return train, validation[:40], test[:64]


def write(name: str, design: dict, results: dict, cpu_seconds: float) -> None:
    """Write ``regularization_NAME.json`` with versions, kind of machine, date and cost."""
    record = {
        "made by": f"python -m studies.regularization_{name}", "date": date.today().isoformat(),
        "machine": f"{platform.machine()}, CPU, {torch.get_num_threads()} thread(s) of {os.cpu_count()}",
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__,
                     "lmtune": lmtune.__version__, "python": platform.python_version()},
        "CPU seconds": round(cpu_seconds), "design": design, "results": results,
    }
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(record, indent=1)
    (FOLDER / f"regularization_{name}.json").write_text(text + "\n", encoding="utf-8")
    print(f"wrote regularization_{name}.json after {record['CPU seconds']} CPU-seconds")
