"""The seed of a class's hidden inputs: a long random text that nobody guesses, made once and kept private."""

from __future__ import annotations

import re
import secrets
from pathlib import Path

from lmtune.files import write_whole

#: Characters, and bits by :func:`bits`, that a seed has at least.
LEAST, STRONG = 32, 80
#: What a grading file has in place of a seed until it has one.
NONE = "change-me"
#: What a new grading file is made from, the first that there is, in the instructor's folder.
EXAMPLES = ("grading.example.toml", "grading.toml")
_LINE = re.compile(r"""^seed\s*=\s*["']([^"'\n]*)["'].*$""", re.MULTILINE)


def fresh() -> str:
    """A new random seed, of 64 hexadecimal digits."""
    while weakness(seed := secrets.token_hex(32)):
        pass
    return seed


def weakness(seed: str) -> str:
    """Why a seed could be guessed, in words, and ``""`` where it could not."""
    if len(seed) < LEAST:
        return f"it has {len(seed)} characters, fewer than {LEAST}"
    if re.search(r"\s", seed):
        return "it has blanks, as sentences have that one can guess"
    return "" if bits(seed) >= STRONG else "it is made of words, dates or repetitions that one can guess"


def bits(text: str) -> float:
    """How hard a text is to guess, carefully counted: a word or a number is one guess, and so is its repetition."""
    total = 0.0
    for piece in set(re.findall(r"[a-z]+|[A-Z]+|\d+|.", text)):
        each, most = (3.3, 10) if piece.isdigit() else (4.7, 8) if piece.isalpha() else (2, 2)
        total += min(each * len(piece), most)
    return total


def settle(settings: Path, instructor: Path) -> str:
    """Make sure that a grading file has a seed; what was done, in one sentence.

    A file that is not there yet is made from the instructor's example.  One without a seed, or that says
    ``change-me``, gets one; any other seed stays, for a class may have been graded by it.
    """
    new = not settings.exists()
    source = next((instructor / name for name in EXAMPLES if (instructor / name).exists()), None) if new else settings
    if source is None:
        raise ValueError(f"There is no {instructor / EXAMPLES[-1]} to make a grading file from; give --settings.")
    try:
        text = source.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ValueError(f"The grading file {source} cannot be read ({error}); mend it, or give --settings.") from error
    stated = _LINE.search(text)
    if not new and stated and stated[1] not in ("", NONE):
        weak = weakness(stated[1])
        advice = f", but {weak}: write {NONE!r} in its place and release again" if weak else ""
        return f"the seed in {settings} stays{advice}"
    line = f'seed = "{fresh()}"  # keep it private, and as it is until the class is graded'
    write_whole(settings, _LINE.sub(line, text, count=1) if stated else f"{line}\n{text}")
    settings.chmod(0o600)
    return f"a random seed was written into {settings}; keep that file private"
