"""Reference answers and planted mistakes of the homework, which are the instructor's."""

from pathlib import Path

from lmtune.grading.homework import load_all

PARTS = [part for homework in load_all(Path(__file__).parent).values() for part in homework.parts]
REFERENCES = {part.id: part.reference for part in PARTS}
MISTAKES = {part.id: part.mistakes for part in PARTS}
