"""The exercises of the chapter "regularization": penalties, dropout, stopping, text, and a table."""

from lmtune.chapters.regularization import (
    ablation,
    decoupled_decay,
    drop_words,
    early_stopping,
    inverted_dropout,
    l1_step,
)

#: In their order on the page.
EXERCISES = [
    l1_step.EXERCISE,
    decoupled_decay.EXERCISE,
    inverted_dropout.EXERCISE,
    early_stopping.EXERCISE,
    drop_words.EXERCISE,
    ablation.EXERCISE,
]
