"""The data of the first three homeworks: drawn from the id, and with what the experiments look for in them."""

import random
from collections import Counter

import pytest

from lmtune.chapters.homework import adaptations
from lmtune.chapters.homework import reports as app
from lmtune.chapters.homework import tickets as shop
from lmtune.grading.homework import load_all
from tests.grading.test_homework import INSTRUCTOR

IDS = [f"student {i}" for i in range(24)]


@pytest.mark.parametrize("draw", [shop.tickets, app.reports, adaptations.adaptation])
def test_the_same_id_draws_the_same_and_ids_differ(draw):
    assert draw("ada") == draw("ada")
    assert len({str(draw(student)) for student in IDS[:8]}) > 1


def favoured(drawn):
    """The share of its tickets that a customer's most frequent box has, the mean over customers."""
    boxes = {}
    for ticket in drawn:
        boxes.setdefault(ticket.customer, []).append(ticket.box)
    return sum(max(Counter(some).values()) / len(some) for some in boxes.values()) / len(boxes)


def test_customers_favour_a_box_in_some_shops_and_in_some_not():
    drawn = {
        random.Random(f"tickets of {student}").choice(shop.LOYALTY): favoured(shop.tickets(student)) for student in IDS
    }
    assert sorted(drawn) == list(shop.LOYALTY), "no id draws one of the shops"
    assert sorted(drawn.values()) == [drawn[loyalty] for loyalty in shop.LOYALTY]
    assert drawn[0.6] - drawn[0.0] > 0.15


def test_every_customer_signs_and_every_box_comes():
    drawn = shop.tickets("ada")
    assert all(ticket.text.endswith(ticket.customer) for ticket in drawn)
    assert set(shop.BOXES) == {ticket.box for ticket in drawn}
    assert 400 < len(drawn) < 700 and len({ticket.customer for ticket in drawn}) == 30


def test_a_task_of_ones_own_is_sorted_into_its_boxes():
    own = {"bug": ["{} stops", "{} is empty"], "wish": ["please add {}", "I miss {}"]}
    drawn = shop.tickets("ada", own, ["the search"])
    assert {ticket.box for ticket in drawn} == set(own)
    assert all("search" in ticket.text.lower() for ticket in drawn)


@pytest.mark.parametrize(
    "boxes, words",
    [
        ({"bug": ["{} stops", "{} is empty"]}, "2 to 8 boxes"),
        (["bug", "wish"], "2 to 8 boxes"),
        ({"bug": ["{} stops", "it stops"], "wish": ["add {}", "I miss {}"]}, "one {}"),
        ({"bug": "{} stops", "wish": ["add {}", "I miss {}"]}, "at least 2 phrases"),
        ({"bug": [], "wish": ["add {}", "I miss {}"]}, "at least 2 phrases"),
    ],
)
def test_boxes_that_make_no_task_are_refused(boxes, words):
    with pytest.raises(ValueError, match=words):
        shop.tickets("ada", boxes)


def test_what_was_filed_before_is_found_and_nothing_else():
    find = load_all(INSTRUCTOR)["augmentation"].parts[0].reference
    numbers = set()
    for student in IDS[:12]:
        rng = random.Random(f"reports of {student}")
        _, planted = rng.choice(app.CHATTER), rng.choice(app.TWICE)
        drawn = app.reports(student)
        train, test = ([report.text for report in part] for part in (drawn.train, drawn.test))
        assert len(find(train, test, 0.9)) == planted
        assert not set(train) & set(test), "a copy is not letter for letter"
        numbers.add(planted)
    assert 0 in numbers and len(numbers) > 1
