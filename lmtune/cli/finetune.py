"""Fine-tune a model on a reader's own text, from files to a folder: what ``lmtune finetune`` does."""
from __future__ import annotations

import json
from pathlib import Path
from typing import Callable

import torch.distributed as dist

from lmtune.arguments import refuse
from lmtune.cli.run_folder import asked_before, claim_folder, write_history, write_model, write_settings
from lmtune.data import text_files
from lmtune.data.batches import in_batches
from lmtune.data.examples import Example, pairs, windows
from lmtune.data.packing import pack
from lmtune.data.tasks import language_modelling
from lmtune.data.text_files import Pair
from lmtune.data.wellformed import disjoint
from lmtune.devices.distributed import joined, rank_and_size
from lmtune.models.loading import load
from lmtune.training.config import Config
from lmtune.training.history import History
from lmtune.training.loop import fit

#: What is not a field of :class:`lmtune.Config`, and what it is where nothing is said.
DEFAULTS = {"model": "pocket", "data": None, "validation": None, "share": 0.1, "context": None, "pack": False,
            "limit": text_files.LIMIT}
#: Parameters from which on a model's usual rate is the smaller one.
LARGE = 20e6
#: Peak rates where none is given: for small models the best of a sweep with ``pocket-mini``
#: (``recorded/hyperparameter_tuning_rates.json``), for large ones the default of transformers'
#: ``TrainingArguments``.
RATES = {"small": 1e-3, "large": 5e-5}
#: Tokens of a row unless the caller asks for another number; less where the model reads less.
CONTEXT = 512


def finetune(out: str | Path, given: dict, *, resume: bool = False, say: Callable[[str], None] = print) -> History:
    """Train on the given data and write the run's folder (:mod:`lmtune.cli.run_folder`).

    ``given`` has the keys of :data:`DEFAULTS` and fields of :class:`lmtune.Config`; ``data`` is a file,
    a folder or ``docs:package,package``.  ``precision`` may also be ``"fp64"``.  With ``resume`` what was
    asked for before counts, and ``given`` may only repeat it.  Under ``torchrun`` the processes share
    each update; the first one writes and speaks.
    """
    out = Path(out).expanduser()
    with joined() as device:
        first = rank_and_size()[0] == 0
        asked = _asked(out, given, resume, first)
        say = say if first else (lambda text: None)
        double = asked.get("precision") == "fp64"
        model, tokenizer = load(asked["model"], device=device)
        model = model.double() if double else model
        train, validation = _examples(asked, model, tokenizer, say)
        config = _config(asked, model, len(train), bool(validation))
        say(f"{asked['model']}: {model.num_parameters() / 1e6:.1f} M parameters on {model.device}, "
            f"{config.total_steps(len(train), rank_and_size()[1])} updates, rate {config.lr:g}")
        if first:
            write_settings(out, config, model, rank_and_size()[1])
        history = fit(model, train, config, validation=validation or None, folder=out / "checkpoints",
                      resume=resume)
        if first:
            write_history(out, history)
            if not history.interrupted:
                write_model(out, model, tokenizer)
        _report(out, history, say)
    return history


def _asked(out: Path, given: dict, resume: bool, first: bool) -> dict:
    """What the run is asked for; one process looks into the folder and writes, and the others wait."""
    given = {name: value for name, value in given.items() if value is not None}
    if resume:
        return asked_before(out, given)
    asked = {**DEFAULTS, **given}
    refuse(asked["data"] is None, "data", None, "a file, a folder, or documentation such as docs:networkx")
    if first:
        claim_folder(out, asked)
    if rank_and_size()[1] > 1:
        dist.barrier()
    return asked


def _examples(asked: dict, model, tokenizer, say) -> tuple[list[Example], list[Example]]:
    """Training and validation examples; what validation holds too is taken out of training."""
    if asked["data"].startswith("docs:"):
        parts = language_modelling([p for p in asked["data"][5:].split(",") if p])
        train, validation = parts.train, parts.validation
    else:
        documents = text_files.read(asked["data"], asked["limit"])
        share = 0 if asked["validation"] else asked["share"]
        train, validation = text_files.hold_out(documents, share)
    if asked["validation"]:
        validation = text_files.read(asked["validation"], asked["limit"])
    reads = getattr(model.config, "max_position_embeddings", None) or CONTEXT
    context = asked["context"] or min(CONTEXT, reads)
    say(f"{asked['data']}: {_counted(train)} to train on, {_counted(validation)} held out")
    made, held_out = (_rows(part, tokenizer, context) for part in (train, validation))
    examples = disjoint(made, held_out)
    if len(examples) < len(made):
        say(f"{len(made) - len(examples)} of {len(made)} training examples stand in the held-out part too and are "
            "left out")
    refuse(not examples, "data", asked["data"], "text of which something is left to train on")
    if asked["pack"]:
        examples = pack(examples, context)
    return examples, held_out


def _counted(documents) -> str:
    """How many documents, and how much text is in them: a held-out part of few texts is the end of each."""
    pairs_or_texts = (d if isinstance(d, str) else "".join(d) for d in documents)
    return f"{len(documents)} documents ({sum(map(len, pairs_or_texts)):,} characters)"


def _rows(documents, tokenizer, context: int) -> list[Example]:
    if documents and isinstance(documents[0], Pair):
        return pairs([d.prompt for d in documents], [d.completion for d in documents], tokenizer, context)
    # A few hundred at a time: where tokens begin takes far more memory than the tokens.
    return [row for some in in_batches(documents, 200) for row in windows(some, tokenizer, context)]


def _config(asked: dict, model, examples: int, validates: bool) -> Config:
    """The settings of the loop; looks and checkpoints every tenth of the run where nothing is said."""
    settings = {name: asked[name] for name in Config.__dataclass_fields__ if name in asked}
    if settings.get("precision") == "fp64":
        settings["precision"] = "fp32"  # which means: in the format of the weights
    settings.setdefault("lr", RATES["large" if model.num_parameters() >= LARGE else "small"])
    total = Config(**{**settings, "evaluate_every": 1}).total_steps(examples, rank_and_size()[1])
    tenth = max(1, total // 10)
    if validates:
        settings.setdefault("evaluate_every", tenth)
    return Config(**{"save_every": tenth, **settings})


def _report(out: Path, history: History, say) -> None:
    if history.interrupted:
        say(f"stopped after update {len(history.steps)}; go on with: lmtune finetune --resume --out {_quoted(out)}")
        return
    if history.evaluations:
        before, after = history.evaluations[0].result, history.best.result
        say(f"held-out loss {before.loss:.3f} -> {after.loss:.3f} nats per token "
            f"({before.bits_per_character:.3f} -> {after.bits_per_character:.3f} bits per character, at the best look)")
    say(f"written to {out}; try: lmtune generate {_quoted(out)} --prompt \"...\"")


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False) if " " in str(path) else str(path)
