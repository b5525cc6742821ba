"""Several intervals at once and Holm's verdicts: against hand-worked numbers, scipy, and simulation."""

import numpy as np
import pytest
from scipy import stats

from lmtune.notebook import intervals


def test_holm_against_an_example_worked_by_hand():
    # Sorted: 0.005 * 4 = 0.020, 0.01 * 3 = 0.030, 0.03 * 2 = 0.060, 0.04 * 1 = 0.040, raised to 0.060.
    assert intervals.holm([0.01, 0.04, 0.03, 0.005]) == pytest.approx([0.03, 0.06, 0.06, 0.02])


@pytest.mark.parametrize(
    "p_values, adjusted", [([0.2], [0.2]), ([], []), ([0.6, 0.7], [1.0, 1.0]), ([0.02, 0.02], [0.04, 0.04])]
)
def test_holm_at_its_edges(p_values, adjusted):
    assert intervals.holm(p_values) == pytest.approx(adjusted)


def test_holm_resolves_what_bonferroni_does_and_never_more_than_single_tests():
    rng = np.random.default_rng(0)
    for k in (1, 2, 5, 12):
        for p in rng.beta(0.3, 3, size=(200, k)):
            adjusted = intervals.holm(p)
            assert all(single - 1e-15 <= a <= min(1, k * single) + 1e-15 for single, a in zip(p, adjusted))
            assert np.all(np.diff(np.array(adjusted)[np.argsort(p)]) >= 0)


def arms(rng, k=6, n=5, shift=0.0):
    """Differences of k arms from one baseline, which they share, as (k, n); a third of the arms differ by `shift`."""
    base, own = rng.normal(size=n), rng.normal(size=(k, n))
    return own - base + shift * (np.arange(k) % 3 == 0)[:, None]


def test_all_intervals_hold_together_as_often_as_they_say():
    rng = np.random.default_rng(1)
    together, single = [], []
    for _ in range(1500):
        d = arms(rng)
        together.append(all(i.low < 0 < i.high for i in intervals.simultaneous_intervals(d)))
        single.append(all(i.low < 0 < i.high for i in (intervals.interval_of(row, 0.95) for row in d)))
    assert 0.94 < np.mean(together) < 0.99  # Bonferroni is on the safe side where arms share a baseline
    assert np.mean(single) < 0.9  # which intervals of one arm each are not


def test_false_words_are_as_rare_as_promised():
    rng = np.random.default_rng(2)
    false = []
    for _ in range(1500):
        adjusted = intervals.holm([intervals.paired_p(d) for d in arms(rng, shift=3.0)])
        false.append(any(p < 0.05 for i, p in enumerate(adjusted) if i % 3))
    assert np.mean(false) < 0.06


def test_the_p_value_is_that_of_scipy():
    for d in np.random.default_rng(3).normal(0.4, 1, size=(50, 6)):
        assert intervals.paired_p(d) == pytest.approx(stats.ttest_1samp(d, 0).pvalue)


def test_an_interval_reaches_zero_where_the_p_value_says_so():
    for d in np.random.default_rng(4).normal(0.8, 1, size=(300, 5)):
        i = intervals.interval_of(d, 0.95)
        assert (i.low <= 0 <= i.high) == (intervals.paired_p(d) >= 0.05)


def test_equal_differences_have_no_spread_and_still_a_verdict():
    assert intervals.paired_p(np.zeros(5)) == 1.0
    assert intervals.paired_p(np.full(5, 0.25)) == 0.0


@pytest.mark.parametrize("over", ["6 orders", "orders", "5", "5 ", "50 orders", 5])
def test_what_is_repeated_begins_with_its_number(over):
    with pytest.raises(ValueError, match="begin with their number, for example '5 orders of the training data'"):
        intervals.repeated(over, 5)
    assert intervals.repeated("5 orders", 5) == "5 orders" and intervals.repeated(None, 5) == "5 seeds"
