"""What somebody else wrote, made fit for a terminal and for one line of a report."""

from __future__ import annotations


def printable(text: str) -> str:
    """Text in one line, without control characters, which could rewrite what a terminal shows."""
    return " ".join(lines(text).split())


def lines(text: str) -> str:
    """Text without control characters but for the ends of its lines."""
    return "".join(c if c.isprintable() or c == "\n" else " " for c in text)
