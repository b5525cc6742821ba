"""The command line: ``lmtune finetune``, ``generate``, ``doctor``, and for instructors ``release`` and ``grade``.

Also ``python -m lmtune``, and on several devices
``torchrun --nproc-per-node=2 -m lmtune finetune ...``.
"""
from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lmtune import __version__

#: Fields of :class:`lmtune.Config` that are flags, with how the command reads and describes each.
SETTINGS = {
    "steps": (int, "updates of the weights"),
    "epochs": (int, "passes over the training examples (default: 1, where --steps is not given)"),
    "batch_size": (int, "examples in memory at once, on each device (default: 8)"),
    "accumulate": (int, "micro-batches in one update (default: 1)"),
    "lr": (float, "peak learning rate (default: 1e-3, from 20 M parameters on 5e-5)"),
    "schedule": (str, "the rate after the warm-up, such as linear, cosine or constant (default: linear)"),
    "warmup": (int, "updates over which the rate rises (default: 0)"),
    "weight_decay": (float, "decoupled weight decay of matrices (default: 0)"),
    "clip": (float, "largest norm of the gradient (default: 1)"),
    "ema": (float, "decay of an average of the weights, such as 0.99 (default: none)"),
    "precision": (str, "auto, fp32, bf16, fp16, or fp64 (default: auto)"),
    "evaluate_every": (int, "updates between looks at the held-out part (default: a tenth of the run)"),
    "patience": (int, "stop after so many looks without improvement, and keep the best weights"),
    "save_every": (int, "updates between checkpoints (default: a tenth of the run)"),
    "seed": (int, "order of the examples, and dropout (default: 0)"),
    "gradient_checkpointing": (None, "less memory, about a third more time"),
    "compile": (None, "compile the model first"),
    "deterministic": (None, "only algorithms that give the same bits each time"),
}


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 2 when what was given is wrong, 130 after Ctrl-C."""
    asked = _parser().parse_args(arguments)
    try:
        return asked.run(asked)
    except (ValueError, OSError, FloatingPointError) as error:
        print(f"lmtune {asked.command}: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130
    except RuntimeError as error:
        if "Connection closed" not in str(error):
            raise
        print(f"lmtune {asked.command}: another process of this run died, so this one ends too. The last checkpoint "
              "is good: start the processes again with --resume.", file=sys.stderr)
        return 3


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="lmtune", description="Fine-tune language models, and write text with them.")
    parser.add_argument("--version", action="version", version=f"lmtune {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    _add_finetune(commands.add_parser("finetune", help="train on your own text and write a folder with the model"))
    _add_generate(commands.add_parser("generate", help="write text with a model"))
    doctor = commands.add_parser("doctor", help="say what this machine can do and what to change")
    doctor.set_defaults(run=_doctor)
    _add_grade(commands.add_parser("grade", help="grade a folder of homework (Linux)"))
    _add_release(commands.add_parser("release", help="make the students' edition of the homework"))
    return parser


def _add_finetune(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--data", help="a file, a folder, or documentation such as docs:networkx")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--model", help="pocket, pocket-mini, a folder, or an id of the Hub (default: pocket)")
    parser.add_argument("--validation", help="text to validate on, read as --data is")
    parser.add_argument("--share", type=float, help="otherwise this share of the data is held out (default: 0.1)")
    parser.add_argument("--context", type=int, help="tokens of a row (default: what the model reads, at most 512)")
    parser.add_argument("--pack", action="store_true", default=None, help="several documents in one row")
    parser.add_argument("--limit", type=float, metavar="MB", help="megabytes of text that are read (default: 100)")
    settings = parser.add_argument_group("settings of the loop")
    for name, (kind, described) in SETTINGS.items():
        flag = "--" + name.replace("_", "-")
        if kind is None:
            settings.add_argument(flag, action="store_true", default=None, help=described)
        else:
            settings.add_argument(flag, type=kind, metavar=kind.__name__, help=described)
    parser.set_defaults(run=_finetune)


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="the folder of a run, pocket, pocket-mini, or an id of the Hub")
    parser.add_argument("--prompt", default="", help="the text to go on from")
    parser.add_argument("--max-new-tokens", type=int, default=60, metavar="int", help="(default: 60)")
    parser.add_argument("--temperature", type=float, default=0.0, metavar="float",
                        help="0 takes the likeliest token each time (default: 0)")
    parser.add_argument("--top-p", type=float, default=1.0, metavar="float",
                        help="draw from the likeliest tokens that reach this probability (default: 1)")
    parser.add_argument("--seed", type=int, default=0, metavar="int", help="(default: 0)")
    parser.set_defaults(run=_generate)


def _add_grade(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("folder", type=Path, help="one file or folder for each student, named by id")
    parser.add_argument("--roster", type=Path, required=True, help="a CSV with the column id; name, folder, submitted")
    parser.add_argument("--out", type=Path, required=True, help="a folder for the report; grading goes on in it")
    parser.add_argument("--homework", default="", help="which homework (default: what the settings say)")
    parser.add_argument("--student", metavar="ID", help="grade this student anew")
    parser.add_argument("--settings", type=Path, help="seed, points, late policy (default: INSTRUCTOR/grading.toml)")
    parser.add_argument("--instructor", type=Path, default=Path("instructor"), help="(default: instructor)")
    parser.add_argument("--unsafe", action="store_true", help="grade without isolation, with your own rights")
    parser.set_defaults(run=_grade)


def _add_release(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--out", type=Path, required=True, help="a new folder; OUT.zip comes beside it")
    parser.add_argument("--instructor", type=Path, default=Path("instructor"), help="(default: instructor)")
    parser.add_argument("--notebooks", type=Path, default=Path("chapters/homework"),
                        help="the homework notebooks (default: chapters/homework)")
    parser.set_defaults(run=_release)


def _grade(asked: argparse.Namespace) -> int:
    from lmtune.grading.grade import grade

    grade(asked.folder, asked.roster, asked.out, settings=asked.settings or asked.instructor / "grading.toml",
          instructor=asked.instructor, only=asked.student, homework=asked.homework, unsafe=asked.unsafe,
          say=lambda text: print(text, flush=True))
    return 0


def _release(asked: argparse.Namespace) -> int:
    from lmtune.grading.release import release

    release(asked.notebooks, asked.instructor, asked.out)
    return 0


def _finetune(asked: argparse.Namespace) -> int:
    from lmtune.cli.finetune import DEFAULTS, finetune

    given = {name: getattr(asked, name) for name in (*DEFAULTS, *SETTINGS)}
    history = finetune(asked.out, given, resume=asked.resume, say=lambda text: print(text, flush=True))
    return 130 if history.interrupted else 0


def _generate(asked: argparse.Namespace) -> int:
    from lmtune.models.generation import generate
    from lmtune.models.loading import load

    folder = Path(asked.model).expanduser()
    if (folder / "run.json").is_file() and not (folder / "config.json").is_file():
        raise ValueError(f"The run in {folder} is not finished; go on with it by: lmtune finetune --resume --out {folder}")
    model, tokenizer = load(asked.model)
    print(generate(model, tokenizer, asked.prompt, max_new_tokens=asked.max_new_tokens, temperature=asked.temperature,
                   top_p=asked.top_p, seed=asked.seed))
    return 0


def _doctor(asked: argparse.Namespace) -> int:
    from lmtune.cli import doctor

    return doctor.main()

