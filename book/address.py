"""Set the address of this copy: python -m book.address https://github.com/you/yourcopy

Writes it into _config.yml, the one place that decides it, and stamps it into the Colab
cell of every notebook, into pyproject.toml and into CITATION.cff. Outputs stay as they are.
"""

import re
import sys

from book import notebooks
from book.cells.derive import PLACEHOLDER, address
from book.cells.places import ROOT

# What Colab's button can open: a repository on github.com.
FORM = re.compile(r"https://github\.com/[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?/[A-Za-z0-9._-]+")
LINE = re.compile(r"^(repository:\n(?:[ \t]+.*\n)*?[ \t]+url:[ \t]*)\S*", re.MULTILINE)
#: What else names the address once it is set: a file, its lines, and what they stand before.
STAMPS = (
    ("pyproject.toml", '[project.urls]\nRepository = "{}"\nIssues = "{}/issues"\n\n', "[project.scripts]\n"),
    ("CITATION.cff", 'repository-code: "{}"\n', "version:"),
)


def clean(given):
    """The address in the form that is stored; ValueError for any other form."""
    url = given.strip().rstrip("/").removesuffix(".git")
    if not FORM.fullmatch(url) or url.endswith(("/.", "/..")):
        raise ValueError(
            f"{given!r} is no repository address; it must look like https://github.com/you/yourcopy, "
            "because Colab opens notebooks from github.com"
        )
    return url


def set_address(url, root=ROOT):
    """Write the address into _config.yml, keeping its comments, and stamp the notebooks."""
    path = root / "_config.yml"
    text, count = LINE.subn(lambda found: found.group(1) + url, path.read_text(encoding="utf-8"))
    if count != 1:
        raise ValueError(f"{path.name} has no line `url:` under `repository:`")
    path.write_text(text, encoding="utf-8")
    for name, lines, before in STAMPS:
        if (root / name).exists():
            stamp(root / name, lines, before, url)
    notebooks.stamp(root)


def stamp(path, lines, before, url):
    """Write lines with the address before a place in a file, instead of those there; none while it is unset."""
    old = re.escape(lines).replace(re.escape("{}"), '[^"]*')
    text = re.sub(old, "", path.read_text(encoding="utf-8"))
    at = re.search(rf"^{re.escape(before)}", text, re.MULTILINE)
    if at is None:
        raise ValueError(f"{path.name} has no line {before.strip()!r}, before which the address stands")
    new = "" if url == PLACEHOLDER else lines.replace("{}", url)
    path.write_text(text[: at.start()] + new + text[at.start() :], encoding="utf-8")


def main(arguments=None):
    given = sys.argv[1:] if arguments is None else arguments
    if len(given) != 1:
        print(f"address: the address is now {address()}\nusage: python -m book.address https://github.com/you/yourcopy")
        return 2
    try:
        url = clean(given[0])
        set_address(url)
    except ValueError as error:
        print(f"address: {error}")
        return 1
    note = ", so the Colab buttons stay hidden" if url == PLACEHOLDER else ""
    print(f"address: set to {url}{note}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
