"""Write the public edition of this clone, or check a public copy for what students must not see.

python -m instructor.edition --out FOLDER     everything that is committed but instructor/, without history
python -m instructor.edition --check FOLDER   names each hidden line in its files and, of a git clone, in its history
"""

from __future__ import annotations

import argparse
import io
import os
import shutil
import sys
import tarfile
from pathlib import Path

from instructor.hidden_lines import hidden_lines
from instructor.leaks import Search, git, in_folder, in_history, is_bare, is_clone

ROOT = Path(__file__).resolve().parent.parent
#: So many leaks are told one by one.
TOLD = 20
REMEDY = (
    "Take them out; what a history holds must go from the history too (publish a new edition, without history). "
    "A line that students may see can be allowed in instructor/shown.txt."
)


def write(root: Path, out: Path) -> int:
    """Write the public edition of the clone ``root`` into the new or empty folder ``out``; how many files it has.

    Raises ``ValueError``, and writes nothing, where something stands in ``out`` or a hidden line would go out.
    """
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise ValueError(f"{out} exists and is not an empty folder; empty it or give another --out.")
    if not is_clone(root):
        raise ValueError(f"{root} is no git clone; the public edition holds what is committed in one.")
    search = Search(hidden_lines(root / "instructor"))
    archive = git(root, "archive", "--format=tar", "HEAD", "--", ".", ":(exclude)instructor")
    unfinished = out.with_name(f".{out.name}.part")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    try:
        with tarfile.open(fileobj=io.BytesIO(archive)) as packed:
            packed.extractall(unfinished, filter="data")
        files, found = in_folder(unfinished, search)
        if found:
            raise ValueError("Nothing was written, for it would tell students what is hidden:\n" + told(found))
        os.replace(unfinished, out)
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return files


def check(instructor: Path, folder: Path) -> tuple[int, int, list[str]]:
    """How many files, and objects of the history, were read of a public copy, and what was found there."""
    if not folder.is_dir():
        raise ValueError(f"There is no folder {folder} to check.")
    search = Search(hidden_lines(instructor))
    files, found = (0, []) if is_bare(folder) else in_folder(folder, search)
    objects, past = in_history(folder, search) if is_clone(folder) or is_bare(folder) else (0, [])
    return files, objects, found + past


def told(found: list[str]) -> str:
    """The leaks, one a line, and what to do."""
    more = [f"and {len(found) - TOLD} more"] if len(found) > TOLD else []
    return "\n".join([*(f"  {leak}" for leak in found[:TOLD]), *more, REMEDY])


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(
        prog="python -m instructor.edition", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    what = parser.add_mutually_exclusive_group(required=True)
    what.add_argument("--out", type=Path, metavar="FOLDER", help="a new or empty folder for the public edition")
    what.add_argument("--check", type=Path, metavar="FOLDER", help="a public copy: a folder or a git clone")
    asked = parser.parse_args(arguments)
    try:
        if asked.out:
            files = write(ROOT, asked.out.absolute())
            print(f"edition: {files} files in {asked.out}, none with a hidden line")
            if git(ROOT, "status", "--porcelain", "--untracked-files=no").strip():
                print("edition: your changes that are not committed are not in it")
            return 0
        files, objects, found = check(ROOT / "instructor", asked.check.absolute())
    except (ValueError, OSError) as error:
        print(f"edition: {error}", file=sys.stderr)
        return 2
    read = f"{files} files" + (f" and {objects} objects of the history" if objects else "")
    if found:
        print(f"edition: {asked.check} tells students what is hidden, in {len(found)} places:\n{told(found)}")
        return 1
    print(f"edition: {read} of {asked.check} hold no hidden line")
    return 0


if __name__ == "__main__":
    sys.exit(main())
