"""The folder of a run from the command line: what was asked for, what happened, and the model.

``run.json`` says what was asked for and ``settings.json`` what that came to, both written before training;
``history.csv`` and the figures say what happened, ``checkpoints`` holds what ``--resume`` needs.  The model and its tokenizer lie in the
folder itself, in the Hub's format, so that ``from_pretrained(folder)`` of plain transformers loads them;
they are written last, so a folder that has ``config.json`` is a finished run.
"""

from __future__ import annotations

import json
import os
import shutil
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

from lmtune import __version__
from lmtune.files import write_whole

if TYPE_CHECKING:
    from lmtune.training.config import Config
    from lmtune.training.history import History

#: Figures that are drawn of a run's history.
FIGURES = ("loss", "lr", "norm")


def claim_folder(folder: Path, asked: dict) -> None:
    """Make a new run's folder and write what was asked for.

    Raises ``FileExistsError`` when it holds anything, ``OSError`` when it cannot be written.
    """
    if folder.is_file():
        raise FileExistsError(f"{folder} is a file; give a folder to write the run to.")
    if folder.is_dir() and any(folder.iterdir()):
        hint = (
            f"It holds a run: go on with it by --resume --out {folder}"
            if (folder / "run.json").is_file()
            else "It holds other files, which are left alone"
        )
        raise FileExistsError(f"The folder {folder} is not empty. {hint}, or give another folder.")
    folder.mkdir(parents=True, exist_ok=True)
    write_whole(folder / "run.json", json.dumps(asked, indent=1, default=str) + "\n")


def asked_before(folder: Path, given: dict) -> dict:
    """What the run in a folder was asked for; ``given`` may repeat it and must not differ.

    Raises ``FileNotFoundError`` where no run is and ``ValueError`` for a difference.
    """
    path = folder / "run.json"
    if not path.is_file():
        raise FileNotFoundError(
            f"There is no run in {folder} to go on with (no run.json). Leave out --resume to begin one."
        )
    try:
        asked = json.loads(path.read_text("utf8"))
    except ValueError as error:
        raise ValueError(f"{path} is damaged ({error}). Begin again in another folder.") from None
    for name, value in given.items():
        if value is not None and value != asked.get(name):
            had = "its default" if asked.get(name) is None else repr(asked[name])
            raise ValueError(
                f"The run in {folder} was begun with {name} = {had} and now {value!r} was given. Leave it "
                "out to go on as before, or begin a run in another folder."
            )
    return asked


def write_settings(folder: Path, config: Config, model, processes: int) -> None:
    """Write every setting of the loop, those by default too, and what the run was made with."""
    about = {
        "settings": config.described(),
        "device": str(model.device),
        "processes": processes,
        "parameters": model.num_parameters(),
        "versions": {name: version(name) for name in ("torch", "transformers")} | {"lmtune": __version__},
    }
    write_whole(folder / "settings.json", json.dumps(about, indent=1, default=str) + "\n")


def write_history(folder: Path, history: History) -> None:
    """Write the events as a table."""
    write_whole(folder / "history.csv", history.table().to_csv())


def write_figures(folder: Path, history: History) -> None:
    """Draw the events; a decoration, so whoever calls this has written the model before."""
    # A file needs no backend, and one that is named and not installed would stop the import.
    named = os.environ.pop("MPLBACKEND", None)
    try:
        for what in FIGURES:
            history.plot(what).savefig(folder / f"{what}.svg")
    finally:
        if named is not None:
            os.environ["MPLBACKEND"] = named


def write_model(folder: Path, model, tokenizer) -> None:
    """Write model and tokenizer; ``config.json`` appears last, when the rest is complete."""
    from lmtune.models.generation import stop_at_end_of_text
    from lmtune.models.loading import quietly

    part = folder / ".model.part"
    shutil.rmtree(part, ignore_errors=True)
    stop_at_end_of_text(model, tokenizer)
    with quietly():
        model.save_pretrained(part)
    tokenizer.save_pretrained(part)
    for path in sorted(part.iterdir(), key=lambda p: p.name == "config.json"):
        if path.is_dir():  # a folder cannot be put onto one that holds something: from an earlier try
            shutil.rmtree(folder / path.name, ignore_errors=True)
        os.replace(path, folder / path.name)
    part.rmdir()


def release_folder(folder: Path) -> None:
    """Take back what a run that was refused has written, so that the mended command may have the folder.

    A run that has a checkpoint keeps everything.
    """
    checkpoints = folder / "checkpoints"
    if any(checkpoints.glob("step-*")):
        return
    for path in (folder / "run.json", folder / "settings.json"):
        path.unlink(missing_ok=True)
    for path in (checkpoints, folder):
        try:
            path.rmdir()
        except OSError:
            pass  # not there, or it holds something else
