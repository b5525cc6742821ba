"""What is compared of a claim or comparison that draws itself: its words, and its figures to their last digit.

Another processor sums in another order, so a figure that lies on the border between
two roundings may fall to the other side; one unit of its last digit is therefore let
pass.  Words stay strict, the verdicts among them, and so do all other outputs.  The
dots are not compared: they say the same as the figures beside them.
"""

import copy
import re

from lmtune.notebook.dot_plot import MARK

#: A figure of the plain text: behind "difference", "mean" or ±, or in a column of a table.
FIGURE = re.compile(r"(?:(?<=difference )|(?<=\(mean )|(?<=± )|(?<=  ))[-+]?\d+(?:\.\d+)?(?![\d.]\d)")
NUMBER = re.compile(r"[\N{MINUS SIGN}+-]?\d+(?:\.\d+)?")
INNERMOST = re.compile(r"<svg\b(?:(?!<svg\b).)*?</svg>", re.DOTALL)


def is_picture(output):
    """Whether an output is a claim or a comparison that drew itself."""
    return MARK in output.get("data", {}).get("text/html", "")


def settled(test, reference):
    """Copies of the outputs of a cell, new and stored, that are equal where they need not differ."""
    test, reference = copy.deepcopy(test), copy.deepcopy(reference)
    for new, old in zip(filter(is_picture, test), filter(is_picture, reference)):
        if alike(new.data.get("text/plain", ""), old.data.get("text/plain", "")):
            new.data["text/plain"] = old.data["text/plain"]
    for output in filter(is_picture, [*test, *reference]):
        output.data["text/html"] = shell(output.data["text/html"])
    return test, reference


def alike(new, old):
    """Whether two plain texts have the same words, and figures at most one unit of the last digit apart."""
    if " ".join(FIGURE.sub("#", new).split()) != " ".join(FIGURE.sub("#", old).split()):
        return False
    pairs = zip(FIGURE.findall(new), FIGURE.findall(old))
    return all(abs(float(a) - float(b)) <= 1.001 * max(unit(a), unit(b)) for a, b in pairs)


def unit(figure):
    """One in the last digit of a printed figure: 0.01 of "-1.23"."""
    return 10.0 ** -len(figure.partition(".")[2])


def shell(html):
    """A picture without its SVG, and 0 for every number: the figures are compared in the plain text."""
    found = 1
    while found:
        html, found = INNERMOST.subn("", html)
    return NUMBER.sub("0", html)
