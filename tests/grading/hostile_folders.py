"""Submissions that are hostile by their files: deep, many, large, linked, or named to harm whoever reads a report.

Each registers itself among the cases of ``hostile.py``.
"""

from __future__ import annotations

import os
from pathlib import Path

from hostile import HONEST, PASSED, UNREADABLE, case, notebook


def beside(folder: Path) -> None:
    """An honest notebook."""
    (folder / "n.ipynb").write_text(notebook(HONEST))


@case("deep-folders", PASSED, "it lies in more than 8 folders")
def deep_folders(folder: Path) -> None:
    """Deeper than Python follows, and longer than the system takes in one name."""
    beside(folder)
    start = os.open(".", os.O_RDONLY)
    os.chdir(folder)
    for _ in range(1500):
        os.mkdir("deep")
        os.chdir("deep")
    Path("data.txt").write_text("at the ground")
    os.fchdir(start)
    os.close(start)


@case("long-names", PASSED, "its path has more than 200 bytes")
def long_names(folder: Path) -> None:
    beside(folder)
    (folder / "/".join(["n" * 150] * 5)).mkdir(parents=True)


@case("folders-of-folders", PASSED, "at most 2000 files and folders")
def folders_of_folders(folder: Path) -> None:
    beside(folder)
    for i in range(2500):
        (folder / f"f{i}").mkdir()


@case("thousand-files", PASSED, "only 200 files are taken along: f200, f201, f202 and 797 more")
def thousand_files(folder: Path) -> None:
    beside(folder)
    for i in range(1000):
        (folder / f"f{i:03}").touch()


@case("thousand-links", PASSED, "it is a link or no regular file: l000, l001, l002 and 997 more")
def thousand_links(folder: Path) -> None:
    beside(folder)
    for i in range(1000):
        (folder / f"l{i:03}").symlink_to("/etc/passwd")


@case("more-than-the-disk", PASSED, "only 40 MB are taken along")
def more_than_the_disk(folder: Path) -> None:
    """Sparse files: they cost nothing here, and all they say where they are copied."""
    beside(folder)
    for name, size in (("a", 38_000_000), ("b", 10**12)):
        with open(folder / name, "wb") as file:
            file.truncate(size)


@case("names-that-forge", PASSED, "it is a link or no regular file")
def names_that_forge(folder: Path) -> None:
    beside(folder)
    for name in ("x\nid: honest-0; total: 99 of 12", "=HYPERLINK(0)", ";=1+1", os.fsdecode(b"\xff\xfe\x1b[2J")):
        (folder / name).symlink_to("/etc/passwd")


@case("of-no-time", PASSED)
def of_no_time(folder: Path) -> None:
    beside(folder)
    os.utime(folder / "n.ipynb", (2**40, 2**40))


@case("one-folder-deeper", PASSED)
def one_folder_deeper(folder: Path) -> None:
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._n.ipynb").touch()
    (folder / "homework").mkdir()
    (folder / "homework" / "factor.txt").write_text("2")
    (folder / "homework" / "N.IPYNB").write_text(
        notebook("def double(values):\n    return [int(open('factor.txt').read()) * v for v in values]")
    )


@case("linked-folder-of-notebooks", UNREADABLE, "no notebook")
def linked_folder_of_notebooks(folder: Path) -> None:
    (folder / "in").symlink_to(folder.parent)


@case("notebook-is-a-pipe", UNREADABLE, "no regular file")
def notebook_is_a_pipe(folder: Path) -> None:
    os.mkfifo(folder / "n.ipynb")
