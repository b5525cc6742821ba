"""Print every exercise and graded part, its planted mistakes and their messages: python -m instructor.table"""

import sys
from pathlib import Path

from book.cells.derive import answers
from lmtune.chapters import registry
from lmtune.exercises import exercise as ex
from lmtune.grading.homework import table

ROOT = Path(__file__).resolve().parent.parent


def practice():
    """The exercises of the chapters: the message of each mistake that their tests plant."""
    lines = ["| exercise | level | minutes | planted mistake gets |", "|---|---|---|---|"]
    for chapter in registry.chapters():
        if chapter == "homework":
            continue
        mistakes = answers(chapter).MISTAKES
        for exercise in registry.exercises(chapter):
            for i, (wrong, _) in enumerate(mistakes[exercise.id]):
                head = (f"{chapter}/{exercise.id}", exercise.level, exercise.minutes) if i == 0 else ("",) * 3
                hint = ex.judged(exercise, wrong).hint.replace("|", "\\|")
                lines.append("| " + " | ".join(map(str, (*head, hint))) + " |")
    return "\n".join(lines)


def main():
    print(table(ROOT / "instructor"), practice(), sep="\n\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
