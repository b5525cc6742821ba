"""The command line: ``lmtune finetune``, ``generate``, ``doctor``, ``homework``, and for instructors ``release``, ``grade``.

Also ``python -m lmtune``, and on several devices
``torchrun --nproc-per-node=2 -m lmtune finetune ...``.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from lmtune import __version__
from lmtune.cli.homework import add_homework


def main(arguments: list[str] | None = None) -> int:
    """Run one command; 0 when it succeeded, 2 when what was given is wrong, 130 after Ctrl-C.

    ``grade`` gives 1 when somebody could not be graded by no fault of theirs.
    """
    for stream in (sys.stdout, sys.stderr):  # a name that the terminal cannot show ends nothing
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors="backslashreplace")
    given = sys.argv[1:] if arguments is None else arguments
    asked = _parser("finetune" in given).parse_args(given)
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
        print(
            f"lmtune {asked.command}: another process of this run died, so this one ends too. The last checkpoint "
            "is good: start the processes again with --resume.",
            file=sys.stderr,
        )
        return 3


def _parser(finetunes: bool) -> argparse.ArgumentParser:
    """The parser; the settings of the loop are asked of it, and torch loaded, for the one command that has them."""
    parser = argparse.ArgumentParser(prog="lmtune", description="Fine-tune language models, and write text with them.")
    parser.add_argument("--version", action="version", version=f"lmtune {__version__}")
    commands = parser.add_subparsers(dest="command", required=True, metavar="COMMAND")
    finetune = commands.add_parser("finetune", help="train on your own text and write a folder with the model")
    if finetunes:
        _add_finetune(finetune)
    _add_generate(commands.add_parser("generate", help="write text with a model"))
    doctor = commands.add_parser("doctor", help="say what this machine can do and what to change")
    doctor.set_defaults(run=_doctor)
    add_homework(commands.add_parser("homework", help="check a homework notebook before you hand it in"))
    _add_grade(commands.add_parser("grade", help="grade a folder of homework (Linux)"))
    _add_release(commands.add_parser("release", help="make the students' edition of the homework"))
    return parser


def _add_finetune(parser: argparse.ArgumentParser) -> None:
    from lmtune.cli.flags import add_settings

    parser.add_argument("--data", help="a file, a folder, or documentation such as docs:networkx")
    parser.add_argument("--out", type=Path, required=True, help="a new folder for the run")
    parser.add_argument("--resume", action="store_true", help="go on with the run in --out")
    parser.add_argument("--model", help="pocket, pocket-mini, a folder, or an id of the Hub (default: pocket)")
    parser.add_argument("--validation", help="text to validate on, read as --data is")
    parser.add_argument("--share", type=float, help="otherwise this share of the data is held out (default: 0.1)")
    parser.add_argument("--context", type=int, help="tokens of a row (default: what the model reads, at most 512)")
    parser.add_argument("--pack", action="store_true", default=None, help="several documents in one row")
    add_settings(parser)
    parser.set_defaults(run=_finetune)


def _add_generate(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("model", help="the folder of a run, pocket, pocket-mini, or an id of the Hub")
    parser.add_argument("--prompt", default="", help="the text to go on from")
    parser.add_argument("--max-new-tokens", type=int, default=60, metavar="int", help="(default: 60)")
    parser.add_argument(
        "--temperature",
        type=float,
        default=0.0,
        metavar="float",
        help="0 takes the likeliest token each time (default: 0)",
    )
    parser.add_argument(
        "--top-p",
        type=float,
        default=1.0,
        metavar="float",
        help="draw from the likeliest tokens that reach this probability (default: 1)",
    )
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
    parser.add_argument(
        "--notebooks",
        type=Path,
        default=Path("chapters/homework"),
        help="the homework notebooks (default: chapters/homework)",
    )
    parser.add_argument(
        "--settings", type=Path, help="gets a random seed if it has none (default: INSTRUCTOR/grading.toml)"
    )
    parser.set_defaults(run=_release)


def _grade(asked: argparse.Namespace) -> int:
    from lmtune.grading.grade import grade, ungraded

    marks = grade(
        asked.folder,
        asked.roster,
        asked.out,
        settings=asked.settings or asked.instructor / "grading.toml",
        instructor=asked.instructor,
        only=asked.student,
        homework=asked.homework,
        unsafe=asked.unsafe,
        say=lambda text: print(text, flush=True),
    )
    return 1 if ungraded(marks) else 0


def _release(asked: argparse.Namespace) -> int:
    from lmtune.grading.release import release
    from lmtune.grading.seed import settle

    settings = asked.settings or asked.instructor / "grading.toml"
    release(asked.notebooks, asked.instructor, asked.out, settings)
    print(f"release: {settle(settings, asked.instructor)}")
    return 0


def _finetune(asked: argparse.Namespace) -> int:
    from lmtune.cli.finetune import DEFAULTS, finetune
    from lmtune.cli.flags import settings

    given = {name: getattr(asked, name) for name in (*DEFAULTS, *settings())}
    history = finetune(asked.out, given, resume=asked.resume, say=lambda text: print(text, flush=True))
    return 130 if history.interrupted else 0


def _generate(asked: argparse.Namespace) -> int:
    from lmtune.models.generation import generate
    from lmtune.models.loading import load

    folder = Path(asked.model).expanduser()
    if (folder / "run.json").is_file() and not (folder / "config.json").is_file():
        raise ValueError(
            f"The run in {folder} is not finished; go on with it by: lmtune finetune --resume --out {folder}"
        )
    model, tokenizer = load(asked.model)
    print(
        generate(
            model,
            tokenizer,
            asked.prompt,
            max_new_tokens=asked.max_new_tokens,
            temperature=asked.temperature,
            top_p=asked.top_p,
            seed=asked.seed,
        )
    )
    return 0


def _doctor(asked: argparse.Namespace) -> int:
    from lmtune.cli import doctor

    return doctor.main()
