"""The exercises of the chapter "hyperparameter tuning": rates that swing, searches, and their noise."""

from lmtune.chapters.hyperparameter_tuning import (
    expected_best,
    halving,
    range_reading,
    real_difference,
    search_space,
    triangular,
)

#: In their order on the page.
EXERCISES = [
    triangular.EXERCISE,
    range_reading.EXERCISE,
    search_space.EXERCISE,
    halving.EXERCISE,
    real_difference.EXERCISE,
    expected_best.EXERCISE,
]
