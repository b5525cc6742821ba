"""The docs tasks: three kinds of data made from documentation, with one split.

Each function returns :class:`~lmtune.data.split.Splits` of train, validation and test.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import NamedTuple

from lmtune.data.docstrings import CLASS_PACKAGES, Document, extract
from lmtune.data.split import Splits, split

#: How libraries are named in prose and aliased in code examples.  A classifier that
#: may read these learns nothing else, so the classification task masks them.
_NAMES = {
    "numpy": ("numpy", "np"),
    "scipy": ("scipy", "sp"),
    "pandas": ("pandas", "pd"),
    "sklearn": ("sklearn", "scikit-learn", "scikit_learn"),
    "torch": ("torch", "pytorch"),
    "sympy": ("sympy",),
    "networkx": ("networkx", "nx"),
    "matplotlib": ("matplotlib", "mpl", "pyplot", "plt", "pylab"),
}
#: What a masked name reads as.
MASK = "library"


class Labelled(NamedTuple):
    """A text and the number of its class in ``classes``."""

    text: str
    label: int


class Summary(NamedTuple):
    """The rest of a docstring and its first line."""

    text: str
    summary: str


def language_modelling(packages: str | Sequence[str]) -> Splits:
    """Texts to model: the docstrings of one package or of several, as ``str``."""
    parts = _documents(packages)
    return Splits(*([d.text for d in part] for part in parts))


def classification(packages: Sequence[str] = CLASS_PACKAGES) -> Splits:
    """Which library does this docstring come from?  ``Labelled`` texts, names masked.

    The label is the position of the library in ``packages``.  The classes are as
    unequal as the libraries are: read every score beside the largest class.
    """
    if isinstance(packages, str) or len(set(packages)) < max(2, len(packages)):
        raise ValueError(f"Classification needs at least two packages, each once; given: {packages!r}.")
    number = {package: i for i, package in enumerate(packages)}
    parts = _documents(packages)
    return Splits(*([Labelled(mask_names(d.text, packages), number[d.package]) for d in part] for part in parts))


def summarization(packages: str | Sequence[str], min_words: int = 20) -> Splits:
    """Write the first line of a docstring from the rest of it.  ``Summary`` pairs.

    PEP 257 makes the first line of a docstring a summary, set off by an empty line.
    Documents without one, or with fewer than ``min_words`` words after it, are left out.
    """
    parts = _documents(packages)
    return Splits(*([s for d in part if (s := summary_of(d.text, min_words))] for part in parts))


def summary_of(text: str, min_words: int = 20) -> Summary | None:
    """Split a docstring into summary line and rest, or None if it has not both."""
    first, gap, rest = text.partition("\n\n")
    if not gap or "\n" in first or len(first.split()) < 3 or len(rest.split()) < min_words:
        return None
    return Summary(rest, first.strip())


def mask_names(text: str, packages: Sequence[str] = CLASS_PACKAGES) -> str:
    """Replace the names of libraries, and their usual aliases, by :data:`MASK`.

    Whole words only, in prose and in code: ``import numpy as np`` becomes
    ``import library as library``, ``np.array`` becomes ``library.array``.
    """
    names = sorted({n for p in packages for n in _NAMES.get(p, (p,))}, key=len, reverse=True)
    pattern = r"(?<![A-Za-z0-9])(?:" + "|".join(map(re.escape, names)) + r")(?![A-Za-z0-9])"
    return re.sub(pattern, MASK, text, flags=re.IGNORECASE)


def _documents(packages: str | Sequence[str]) -> Splits:
    packages = [packages] if isinstance(packages, str) else list(packages)
    documents: list[Document] = [d for p in dict.fromkeys(packages) for d in extract(p)]
    return split(documents)
