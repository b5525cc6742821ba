"""The settings of the loop as flags of a command: names, kinds and help from :class:`lmtune.Config` itself."""

from __future__ import annotations

import argparse
import ast
import dataclasses
import inspect
import re
import textwrap
import typing
from functools import cache

from lmtune.training.config import Config

#: Fields that no word of a command line can give: a function, and a pair.
LEFT_OUT = ("optimizer", "betas")
#: What the command does where :class:`Config` would do something else, or what its help cannot know.
DEFAULTS = {
    "epochs": "1, where steps is not given",
    "log_every": "1 on a CPU, 10 on a GPU",
    "precision": "auto; the command also takes fp64",
    "lr": "1e-3, from 20 M parameters on 5e-5",
    "evaluate_every": "a tenth of the run",
    "save_every": "a tenth of the run",
}


def settings() -> list[str]:
    """The fields of :class:`Config` that are flags."""
    return [field.name for field in dataclasses.fields(Config) if field.name not in LEFT_OUT]


def add_settings(parser: argparse.ArgumentParser) -> None:
    """Add a flag for each of :func:`settings`; what is not given is None."""
    group = parser.add_argument_group("settings of the loop")
    fields = {field.name: field for field in dataclasses.fields(Config)}
    kinds = typing.get_type_hints(Config)
    for name in settings():
        flag, described = "--" + name.replace("_", "-"), _help(name, fields[name].default)
        if kinds[name] is bool:
            group.add_argument(flag, action="store_true", default=None, help=described)
        else:
            kind = next(k for k in (int, float, str) if k in (kinds[name], *typing.get_args(kinds[name])))
            group.add_argument(flag, type=kind, metavar=kind.__name__, help=described)


def _help(name: str, default: object) -> str:
    """The first sentence of a field's description, and its default."""
    sentence = re.split(r"(?<=\w)[.;:](?:\s|$)", descriptions()[name])[0]
    plain = re.sub(r":\w+:`~?(?:[\w.]*\.)?(\w+)`|``(.+?)``", r"\1\2", sentence).rstrip(".")
    said = DEFAULTS.get(name, "none" if default is None else f"{default:g}" if isinstance(default, float) else default)
    shown = "" if isinstance(default, bool) else f" (default: {said})"
    return f"{plain[0].lower()}{plain[1:]}{shown}".replace("%", "%%")


@cache
def descriptions() -> dict[str, str]:
    """What stands under each field of :class:`Config` in its source, on one line."""
    body = ast.parse(textwrap.dedent(inspect.getsource(Config))).body[0].body
    return {
        field.target.id: " ".join(text.value.value.split())
        for field, text in zip(body, body[1:])
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr) and isinstance(text.value, ast.Constant)
    }
