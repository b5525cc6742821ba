"""Right answers in other dresses pass every check, and nothing that a student gives breaks one."""

import copy
import itertools
import random
import sys
from collections import namedtuple
from fractions import Fraction

import numpy as np
import pytest
import torch

from book.cells.derive import answers
from book.cells.places import ROOT
from lmtune.chapters import registry
from lmtune.exercises import exercise as ex
from lmtune.exercises.cases import draw, feedback
from lmtune.exercises.plain import difference, plain
from lmtune.grading.homework import Part, cases, load_all

ALL = [(c, e) for c in registry.chapters() for e in registry.exercises(c)]
each = pytest.mark.parametrize("chapter, exercise", ALL, ids=[f"{c}/{e.id}" for c, e in ALL])


@pytest.fixture(autouse=True, scope="module")
def drawn_once():
    """The cases of practice are the same each time; here they are drawn once."""
    drawn, known = ex.Exercise.cases, {}

    def cases(self):
        if id(self) not in known:
            known[id(self)] = drawn(self)
        return known[id(self)]

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(ex.Exercise, "cases", cases)
        yield


def remade(value, leaf=lambda v: v, box=lambda items: items):
    """A value with each number or text dressed by ``leaf``, and each list of dressed ones by ``box``."""
    if isinstance(value, (torch.Tensor, np.ndarray)):
        value = value.tolist()
    if isinstance(value, (list, tuple)):
        return box([remade(v, leaf, box) for v in value])
    if isinstance(value, dict):
        return {key: remade(v, leaf, box) for key, v in value.items()}
    return leaf(value.item() if isinstance(value, np.generic) else value)


def number(dressed):
    """A dress for numbers alone: text, True and None stay."""
    return lambda v: dressed(v) if isinstance(v, (int, float)) and not isinstance(v, bool) else v


def array(items):
    """An array where the items make one: of one kind and rectangular."""
    kinds = {i.dtype.kind if isinstance(i, np.ndarray) else type(i) for i in items}
    shapes = {np.shape(i) for i in items}
    mixed = len(kinds) > 1 or kinds & {dict, type(None)} or any(isinstance(i, list) for i in items)
    return items if mixed or len(shapes) > 1 else np.array(items)


def tensor(items):
    if not all(isinstance(i, (bool, int, float, torch.Tensor)) for i in items):
        return items
    if len({np.shape(i) for i in items}) > 1 or not items:
        return items
    if isinstance(items[0], torch.Tensor):
        return torch.stack(items) if len({i.dtype for i in items}) == 1 else items
    return torch.tensor(items) if len(set(map(type, items))) == 1 else items


def size(items):
    whole = bool(items) and all(type(i) is int for i in items)
    return torch.Size(items) if whole and min(items) >= 0 else tuple(items)


def alone(value):
    """Whether an answer is one number or text."""
    return not isinstance(plain(value), (list, dict))


DRESSES = {
    "lists": lambda v: remade(v),
    "tuples": lambda v: remade(v, box=tuple),
    "arrays": lambda v: remade(v, number(np.array) if alone(v) else lambda x: x, array),
    "NumPy scalars": lambda v: remade(v, lambda x: np.array(x)[()] if isinstance(x, (int, float, str)) else x),
    "float32": lambda v: remade(v, lambda x: np.float32(x) if isinstance(x, float) else x),
    "tensors": lambda v: remade(v, number(torch.tensor) if alone(v) else lambda x: x, tensor),
    "tensors without dimensions": lambda v: remade(v, number(torch.tensor)),
    "whole numbers for floats": lambda v: remade(v, lambda x: int(x) if isinstance(x, float) and x == x // 1 else x),
    "floats for whole numbers": lambda v: remade(v, lambda x: float(x) if type(x) is int else x),
    "sizes": lambda v: remade(v, box=size),
}


def plain_enough(value):
    try:
        plain(value)
    except TypeError:
        return False
    return value is not None


@each
@pytest.mark.parametrize("dress", DRESSES)
def test_the_reference_passes_in_every_dress(chapter, exercise, dress):
    reference = answers(chapter).REFERENCES[exercise.id]

    def dressed(*given):
        value = reference(*given)
        if not plain_enough(value):  # it changes a model, or gives a function
            return value
        return DRESSES[dress](value)

    result = ex.judged(exercise, dressed)
    assert result.status == ex.PASSED, result.message


@each
def test_the_reference_passes_on_copies_and_where_it_spoils_what_it_is_given(chapter, exercise):
    reference = answers(chapter).REFERENCES[exercise.id]

    def copied(*given):
        value = reference(*given)
        return copy.deepcopy(value) if plain_enough(value) else value

    def spoiling(*given):
        value = copied(*given)
        for one in given:
            if isinstance(one, (list, dict)) and exercise.observe is None:  # who observes may look at its own
                one.clear()
            elif isinstance(one, torch.Tensor) and not one.requires_grad and not shares(one, value):
                one.zero_()
        return value

    for answer in (copied, spoiling):
        result = ex.judged(exercise, answer)
        assert result.status == ex.PASSED, result.message


def shares(one, value):
    return isinstance(value, torch.Tensor) and value.data_ptr() == one.data_ptr()


class Hostile:
    """Raises whatever it is asked."""

    def _refuse(self, *given):
        raise Interrupting("no")

    __repr__ = __str__ = __eq__ = __len__ = __iter__ = __getattr__ = __bool__ = __float__ = __hash__ = _refuse
    __getitem__ = __call__ = __index__ = __lt__ = __add__ = __mul__ = __sub__ = __array__ = _refuse


class Interrupting(BaseException):
    """No Exception, and it cannot say what it is."""

    def __str__(self):
        raise SystemExit

    __repr__ = __str__


class HostileList(list):
    __iter__ = __len__ = __eq__ = __repr__ = __getitem__ = Hostile._refuse
    __hash__ = None


class Liar:
    @property
    def __class__(self):
        return list


def endless():
    while True:
        yield 1


def deeper(n=0):
    return deeper(n + 1)


def nested(depth=10_000):
    value = []
    for _ in range(depth):
        value = [value]
    return value


def round_and_round():
    value = []
    value.append(value)
    return value


Pair = namedtuple("Pair", "a b")
STRANGE = {
    "a generator": lambda: (i for i in range(3)),
    "an endless generator": endless,
    "an endless range": lambda: range(10**30),
    "an endless count": lambda: itertools.count(),
    "recursion": deeper,
    "a huge text": lambda: "x" * 2_000_000,
    "a huge number": lambda: 10**5000,
    "a deep list": nested,
    "a list in itself": round_and_round,
    "hostile": Hostile,
    "hostile in a list": lambda: [Hostile()],
    "a hostile list": lambda: HostileList([1]),
    "a liar": Liar,
    "a hostile error": lambda: (_ for _ in ()).throw(Interrupting()),
    "an exit": lambda: sys.exit("enough"),
    "nan": lambda: float("nan"),
    "infinity": lambda: [float("inf"), float("-inf")],
    "complex": lambda: 1 + 2j,
    "complex tensor": lambda: torch.ones(2, dtype=torch.complex64),
    "true": lambda: True,
    "false": lambda: [False],
    "bytes": lambda: b"abc",
    "a type": lambda: int,
    "a module": lambda: torch,
    "a function": lambda: len,
    "a set": lambda: {1, 2},
    "a dictionary with numbers": lambda: {1: 2},
    "a named tuple": lambda: Pair(1, "x"),
    "a fraction": lambda: Fraction(1, 3),
    "an empty array": lambda: np.zeros((0, 3)),
    "an array of objects": lambda: np.array([Hostile, None, "x"], dtype=object),
    "a sparse tensor": lambda: torch.eye(2).to_sparse(),
    "a tensor on no device": lambda: torch.ones(2, device="meta"),
    "not a number in a tensor": lambda: torch.tensor([float("nan")] * 3),
    "surrogates": lambda: "\ud800",
    "a coroutine": lambda: None,
}  # fmt: skip


@pytest.mark.parametrize("name", STRANGE)
def test_no_check_raises_whatever_an_answer_gives(name, capsys):
    for chapter, exercise in ALL:
        registry.check(f"{chapter}/{exercise.id}", lambda *given: given and STRANGE[name]())
        assert "Traceback" not in capsys.readouterr().out


def test_no_check_raises_whatever_it_is_given(capsys):
    objects = [Hostile(), Hostile, HostileList([1]), Liar(), 1 + 2j, nested(), "x" * 10**7, torch, np.ones(3)]
    for (chapter, exercise), given in itertools.product(ALL, objects):
        registry.check(f"{chapter}/{exercise.id}", given)
        assert "not yet" in capsys.readouterr().out


@pytest.mark.parametrize(
    "value, truth, near, same",
    [
        (3e-8, 0.0, 1.0, True),  # what float32 leaves of a sum that is 0
        (3e-8, 0.0, 1e-3, False),
        (0.0, 2e-5, 1e-3, False),  # a rate is not its absence
        (1.00005, 1.0, 1.0, True),
        (1.001, 1.0, 1.0, False),
        (10_001, 10_000, 1.0, False),  # whole numbers are exact
        (10_001.0, 10_000, 1.0, False),
        (2.9999999, 3, 1.0, True),
        (float(np.float32(2**24 + 1)), 2**24 + 1, 1.0, True),
        ("1.0", 1.0, 1.0, False),
        (True, 1.0, 1.0, False),
    ],
)
def test_how_far_numbers_may_be_apart(value, truth, near, same):
    assert (difference(value, truth, 1e-4, near=near) == "") is same


def test_a_tie_on_which_solution_and_truth_disagree_is_drawn_again():
    given = dict(
        id="above",
        aim="Count.",
        level="core",
        minutes=5,
        stub="def above(values, least):\n    ...\n",
        inputs=lambda rng: [[[rng.randint(0, 3) for _ in range(3)], rng.randint(1, 2)] for _ in range(2)],
        truth=lambda values, least: sum(v >= least for v in values),
        mistakes=[(lambda values, least: len(values), "all were counted")],
    )
    ties = Part(**given, reference=lambda values, least: sum(v > least for v in values))
    for seed in range(30):
        assert all(least not in values for values, least in (c["inputs"] for c in draw(ties, random.Random(seed))))
    never = Part(**given, reference=lambda values, least: -1)
    with pytest.raises(ValueError, match="one right answer"):
        draw(never, random.Random(0))


@pytest.mark.parametrize("dress", ["float32", "tensors", "floats for whole numbers"])
def test_the_hidden_inputs_of_homework_take_these_dresses_too(dress):
    known = load_all(ROOT / "instructor")
    for part in (part for homework in known.values() for part in homework.parts):
        for student in range(5):
            drawn = cases(part, "a seed", f"student {student}")
            values = [plain(DRESSES[dress](part.reference(*copy.deepcopy(c["inputs"])))) for c in drawn]
            assert feedback(part, drawn, values) is None, (part.id, student)


def test_hidden_inputs_take_float32_throughout():
    """Torch's default: it passed the published examples and failed on hidden ones."""
    known = load_all(ROOT / "instructor")
    for part in (part for homework in known.values() for part in homework.parts):
        for student in range(5):
            drawn = cases(part, "a seed", f"student {student}")
            values = [plain(part.reference(*DRESSES["float32"](c["inputs"]))) for c in drawn]
            assert feedback(part, drawn, values) is None, (part.id, student)
