"""Fine-tune a model on a reader's own text, from files to a folder: what ``lmtune finetune`` does."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path

import torch.distributed as dist

from lmtune.arguments import refuse
from lmtune.cli.run_folder import (
    asked_before,
    claim_folder,
    release_folder,
    write_figures,
    write_history,
    write_model,
    write_settings,
)
from lmtune.data import text_files
from lmtune.data.docstrings import cache_folder
from lmtune.data.kinds import Example
from lmtune.data.packing import pack
from lmtune.data.reach import reach_of
from lmtune.data.rows_on_disk import Recipe, packed_on_disk, rows_on_disk
from lmtune.data.tasks import language_modelling
from lmtune.data.text_files import size_of
from lmtune.data.wellformed import disjoint
from lmtune.devices.distributed import joined, rank_and_size
from lmtune.models.loading import load
from lmtune.training.config import Config
from lmtune.training.history import History
from lmtune.training.loop import fit

#: What is not a field of :class:`lmtune.Config`, and what it is where nothing is said.
DEFAULTS = {"model": "pocket", "data": None, "validation": None, "share": 0.1, "context": None, "pack": False}
#: Parameters from which on a model's usual rate is the smaller one.
LARGE = 20e6
#: Peak rates where none is given: for small models the best of a sweep with ``pocket-mini``
#: (``lmtune/chapters/hyperparameter_tuning/recorded/rates.json``), for large ones the default of transformers'
#: ``TrainingArguments``.
RATES = {"small": 1e-3, "large": 5e-5}
#: Tokens of a row unless the caller asks for another number; less where the model reads less.
CONTEXT = 512
#: Bytes of text up to which the rows are made in memory, about 15 MB for each megabyte of English (measured with
#: ``pocket``, windows of 256 tokens); of more text they are made on disk.
IN_MEMORY = 20_000_000


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
        try:
            history = _trained(out, asked, resume, device, say if first else (lambda text: None))
        except (ValueError, TypeError, OSError, FloatingPointError):
            if first and not resume:
                release_folder(out)
            raise
    return history


def _trained(out: Path, asked: dict, resume: bool, device: str | None, say: Callable[[str], None]) -> History:
    """Load, train and write; only the first of several processes writes."""
    first = rank_and_size()[0] == 0
    double = asked.get("precision") == "fp64"
    model, tokenizer = load(asked["model"], device=device)
    model = model.double() if double else model
    train, validation = _examples(asked, model, tokenizer, say)
    config = _config(asked, model, len(train), bool(validation))
    say(
        f"{asked['model']}: {model.num_parameters() / 1e6:.1f} M parameters on {model.device}, "
        f"{config.total_steps(len(train), rank_and_size()[1])} updates, rate {config.lr:g}"
    )
    if first:
        write_settings(out, config, model, rank_and_size()[1])
    history = fit(model, train, config, validation=validation or None, folder=out / "checkpoints", resume=resume)
    if first:
        write_history(out, history)
        if not history.interrupted:
            write_model(out, model, tokenizer)
        try:
            write_figures(out, history)
        except Exception as error:  # whatever a drawing library lacks: the model is there
            say(f"the figures could not be drawn ({type(error).__name__}: {error}); history.csv has the numbers")
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


def _examples(asked: dict, model, tokenizer, say) -> tuple[Sequence[Example], list[Example]]:
    """Training and validation examples; what validation holds too is taken out of training."""
    reach = reach_of(model)
    context = asked["context"] or min(CONTEXT, reach.positions or CONTEXT, reach.written or CONTEXT)
    recipe = Recipe(tokenizer, context, model.config.is_encoder_decoder)
    held_out = text_files.read(asked["validation"]) if asked["validation"] else []
    share = 0 if held_out else asked["share"]
    documentation = asked["data"].startswith("docs:")
    for source in [asked["data"]] * (not documentation) + [asked["validation"]] * bool(asked["validation"]):
        _say_how_read(source, say)
    if documentation or size_of(asked["data"]) <= IN_MEMORY:
        train, validation = _in_memory(asked["data"], share, held_out, recipe, say)
        train = pack(train, context) if asked["pack"] else train
    else:
        train, validation = _on_disk(asked["data"], share, recipe.rows(held_out), recipe, say)
        train = packed_on_disk(train, context, cache_folder() / "packed") if asked["pack"] else train
    refuse(not len(train), "data", asked["data"], "text of which something is left to train on")
    return train, validation


def _say_how_read(source: str, say) -> None:
    """What of a folder is left out, and that a file with the name of a table or a program is read as it stands."""
    others = text_files.left_out(source)
    if others:
        more = f" and {len(others) - 3} more" if len(others) > 3 else ""
        say(f"not read: {', '.join(path.name for path in others[:3])}{more}")
    path = Path(source).expanduser()
    if path.is_file() and path.suffix.lower() not in text_files.SUFFIXES and not text_files.holds_json_lines(path):
        say(f"{path.name} is read as plain text, every character of it")


def _in_memory(data: str, share: float, held_out, recipe: Recipe, say) -> tuple[list[Example], list[Example]]:
    if data.startswith("docs:"):
        parts = language_modelling([p for p in data[5:].split(",") if p])
        train, validation = parts.train, parts.validation
    else:
        train, validation = text_files.hold_out(text_files.read(data), share)
    validation = held_out or validation
    say(f"{data}: {_counted(train)} to train on, {_counted(validation)} held out")
    made, kept_out = recipe.rows(train), recipe.rows(validation)
    examples = disjoint(made, kept_out)
    _say_repeated(len(made) - len(examples), len(made), say)
    return examples, kept_out


def _on_disk(data: str, share: float, avoid: list[Example], recipe: Recipe, say):
    """As in memory, for text that is too much for it; the first of several processes makes the rows."""
    rank, processes = rank_and_size()
    if processes > 1 and rank > 0:
        dist.barrier()
    made = rows_on_disk(data, recipe, share, avoid, say=say)
    if processes > 1 and rank == 0:
        dist.barrier()
    validation = avoid or made.held_out
    say(f"{data}: {len(made.train):,} rows to train on, {len(validation):,} held out")
    _say_repeated(made.repeated, len(made.train) + made.repeated, say)
    return made.train, validation


def _say_repeated(repeated: int, rows: int, say) -> None:
    if repeated:
        say(f"{repeated} of {rows} training examples stand in the held-out part too and are left out")


def _counted(documents) -> str:
    """How many documents, and how much text is in them: a held-out part of few texts is the end of each."""
    pairs_or_texts = (d if isinstance(d, str) else "".join(d) for d in documents)
    return f"{len(documents)} documents ({sum(map(len, pairs_or_texts)):,} characters)"


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
        say(
            f"held-out loss {before.loss:.3f} -> {after.loss:.3f} nats per token "
            f"({before.bits_per_character:.3f} -> {after.bits_per_character:.3f} bits per character, at the best look)"
        )
    say(f'written to {out}; try: lmtune generate {_quoted(out)} --prompt "..."')


def _quoted(path: Path) -> str:
    return json.dumps(str(path), ensure_ascii=False) if " " in str(path) else str(path)
