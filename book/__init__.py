"""The machinery of the book: set-up, notebooks, build, tests, browser checks.

Nothing here is part of the installed package `lmtune`.
"""
