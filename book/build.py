"""Build the book with warnings as errors: python -m book.build"""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from book.site import icons, links, progress
from book.site.finish import finish_all

ROOT = Path(__file__).resolve().parent.parent
HTML = ROOT / "_build" / "html"
# Jupyter Book has no __main__ module, and its script may not be on the path.
START = "import sys; from jupyter_book.cli.main import main; main(sys.argv[1:])"
COMMAND = [sys.executable, "-c", START, "build", ".", "--all", "-W", "-n", "--keep-going"]


def tell(lines):
    """Print the lines that say what is wrong, or the end of the output."""
    faults = [line for line in lines if "WARNING" in line or "ERROR" in line]
    print("\n".join(faults or lines[-40:]))


def main():
    print("book: building the pages, with warnings as errors", flush=True)
    began = time.perf_counter()
    # Jupyter Book keeps the pages of files that are gone.
    shutil.rmtree(HTML, ignore_errors=True)
    run = subprocess.run(
        COMMAND,
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        env={**os.environ, "NO_COLOR": "1"},
        encoding="utf-8",
        errors="replace",
    )
    page = HTML / "index.html"
    if run.returncode != 0 or not page.exists():
        tell(run.stdout.splitlines())
        print("book: the build failed")
        return run.returncode or 1
    finish_all(HTML)
    progress.mark(HTML)
    icons.shrink(HTML)
    broken = links.broken(HTML)
    if broken:
        print("\n".join(broken[:40]))
        print(f"book: {len(broken)} broken link(s)")
        return 1
    print(f"book: built in {time.perf_counter() - began:.0f} s")
    print(f"book: open {page.as_uri()} (or run: make serve)")
    return 0


if __name__ == "__main__":
    sys.exit(main())
