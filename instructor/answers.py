"""Reference answers and planted mistakes of the homework, which are the instructor's."""

import sys
from pathlib import Path

from lmtune.grading.homework import load_all

PARTS = [part for homework in load_all(Path(__file__).parent).values() for part in homework.parts]
REFERENCES = {part.id: part.reference for part in PARTS}
MISTAKES = {part.id: part.mistakes for part in PARTS}
_MODULES = [sys.modules[name] for name in dict.fromkeys(part.reference.__module__ for part in PARTS)]
#: Other forms of the mistakes, and right answers in another dress, by a part's id.
VARIANTS = {part: found for module in _MODULES for part, found in getattr(module, "VARIANTS", {}).items()}
DRESSES = {part: found for module in _MODULES for part, found in getattr(module, "DRESSES", {}).items()}
