"""Where pages stand: the source of each, its notebook, and the part of the book that it belongs to.

A part is a folder `chapters/PART/`, named as a module, with underscores. Its main page is `chapter.py`; further
pages are `pages/NAME.py`. Each becomes the notebook `chapters/NAME.ipynb`, with hyphens, so that its name alone
is its address; homework is `chapters/homework/NAME.py` and is named `homework/NAME`.
"""

from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def parts(root=ROOT):
    """The parts of the book, by name."""
    return sorted(path.parent.name.replace("_", "-") for path in (root / "chapters").glob("*/chapter.py"))


def pages_of(part, root=ROOT):
    """The pages of a part: the main one, which has the part's name, then the others."""
    others = sorted((room(part, root) / "pages").glob("*.py"))
    return [part, *(path.stem.replace("_", "-") for path in others)]


def pages(root=ROOT):
    """Every page of a part with the part; ValueError where two sources would write one notebook."""
    found = {}
    for part in parts(root):
        for page in pages_of(part, root):
            if page in found:
                raise ValueError(
                    f"parts {found[page]!r} and {part!r} both have a page {page!r}, and both would be "
                    f"chapters/{page}.ipynb: give one of them another name"
                )
            found[page] = part
    return found


def names(root=ROOT):
    """The pages that have a source, and the homework as `homework/NAME`."""
    homework = (root / "chapters" / "homework").glob("*.py")
    return sorted(pages(root)) + sorted(f"homework/{path.stem}" for path in homework)


def part_of(name, root=ROOT):
    """The part that a page belongs to; LookupError where no page has that name."""
    found = pages(root)
    if name not in found:
        raise LookupError(f"no page {name!r}; there are: {', '.join(found)}")
    return found[name]


def room(part, root=ROOT):
    """The folder of a part: its texts, quizzes, answers and studies."""
    return root / "chapters" / part.replace("-", "_")


def source_path(name, root=ROOT):
    """The text source of a page or of a homework."""
    if "/" in name:
        return root / "chapters" / f"{name}.py"
    part = pages(root).get(name, name)
    return room(part, root) / ("chapter.py" if part == name else f"pages/{name.replace('-', '_')}.py")


def quiz_path(name, root=ROOT):
    """Where the questions of a page stand."""
    source = source_path(name, root)
    return source.with_name("quiz.toml") if source.name == "chapter.py" else source.with_suffix(".quiz.toml")


def notebook_path(name, root=ROOT):
    return root / "chapters" / f"{name}.ipynb"


def notebook_paths(root=ROOT):
    """Every notebook that there is, also one whose source is missing, in the order of `names`."""
    chapters = root / "chapters"
    by_name = lambda path: path.stem
    return [
        *sorted(chapters.glob("*.ipynb"), key=by_name),
        *sorted((chapters / "homework").glob("*.ipynb"), key=by_name),
    ]
