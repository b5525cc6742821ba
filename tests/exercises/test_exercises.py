"""Each exercise is proven three ways, and the proof itself is proven able to fail."""

import dataclasses
import inspect
import linecache

import pytest
import torch

from book.cells.derive import answers, solution
from book.cells.places import ROOT
from lmtune.chapters import registry
from lmtune.exercises import exercise as ex
from lmtune.exercises import running

GRADED = {e.id for e in registry.exercises("homework")}
MOST_LIKELY = "first-fine-tune/token-loss"


# A public copy has no instructor's side, so no answers to the homework.
CHAPTERS = [c for c in registry.chapters() if c != "homework" or (ROOT / "instructor" / "homework").is_dir()]
ALL = [(c, e) for c in CHAPTERS for e in registry.exercises(c)]
each = pytest.mark.parametrize("chapter, exercise", ALL, ids=[f"{c}/{e.id}" for c, e in ALL])


def stub_of(exercise):
    space = {}
    exec(exercise.stub, space)
    return space[exercise.function]


def prove_reference(exercise, reference):
    result = ex.judged(exercise, reference)
    assert result.status == ex.PASSED and result.message == "passed", result.message


def prove_stub(exercise):
    result = ex.judged(exercise, stub_of(exercise))
    assert result == ex.Result("not attempted yet", "not attempted yet")


def prove_mistakes(exercise, mistakes):
    assert len(mistakes) >= (12 if exercise.id in GRADED else 6)
    hints = []
    for wrong, words in mistakes:
        result = ex.judged(exercise, wrong)
        assert result.status == ex.NOT_YET, f"let through: the mistake with {words!r}"
        assert words in result.hint, f"{words!r} not in {result.hint!r}"
        for fact in ("your answer: ", "expected: ", "hint: "):
            assert fact in result.message
        produced, _, expected = " ".join(result.message.split()).partition("your answer: ")[2].partition(" expected: ")
        assert produced != expected.partition(" hint: ")[0], result.message
        hints.append(result.hint)
    assert len(set(hints)) == len(hints), "two mistakes have the same hint"


@each
def test_the_reference_passes(chapter, exercise):
    reference = answers(chapter).REFERENCES[exercise.id]
    assert reference.__name__ == f"reference_{exercise.function}"
    assert list(inspect.signature(reference).parameters) == list(inspect.signature(stub_of(exercise)).parameters)
    prove_reference(exercise, reference)


@each
def test_the_folded_solution_runs_where_it_is_pasted_and_passes(chapter, exercise):
    code = solution(chapter, exercise.id).split("```python\n")[1].split("```")[0]
    space = {}
    exec(code, space)
    assert ex.judged(exercise, space[exercise.function]).status == ex.PASSED


@each
def test_the_stub_is_not_attempted(chapter, exercise):
    prove_stub(exercise)


@each
def test_planted_mistakes_get_hints_of_their_own(chapter, exercise):
    prove_mistakes(exercise, answers(chapter).MISTAKES[exercise.id])


@each
def test_variants_of_the_mistakes_get_the_same_hints(chapter, exercise):
    for wrong, words in getattr(answers(chapter), "VARIANTS", {}).get(exercise.id, []):
        result = ex.judged(exercise, wrong)
        assert result.status == ex.NOT_YET and words in result.hint, (words, result.message)


@each
def test_answers_exist_for_exactly_these_exercises(chapter, exercise):
    ids = {e.id for e in registry.exercises(chapter)}
    assert set(answers(chapter).REFERENCES) == set(answers(chapter).MISTAKES) == ids


@each
def test_the_reference_in_another_dress_passes(chapter, exercise):
    for dressed in getattr(answers(chapter), "DRESSES", {}).get(exercise.id, []):
        result = ex.judged(exercise, dressed)
        assert result.status == ex.PASSED, result.message


@each
def test_the_proof_fails_when_a_check_is_wrong(chapter, exercise):
    told = answers(chapter)
    mistakes, reference = told.MISTAKES[exercise.id], told.REFERENCES[exercise.id]

    def right(answer, *inputs):
        return exercise.truth(*inputs)

    def right_for_one(answer, *inputs):
        observe = exercise.observe or (lambda answer, *inputs: answer(*inputs))
        return (right if answer.function is mistakes[-1][0] else observe)(answer, *inputs)

    lets_all_through = dataclasses.replace(plain_copy(exercise), observe=right)
    with pytest.raises(AssertionError, match="let through"):
        prove_mistakes(lets_all_through, mistakes)
    with pytest.raises(AssertionError):
        prove_stub(lets_all_through)
    with pytest.raises(AssertionError, match="let through"):
        prove_mistakes(dataclasses.replace(plain_copy(exercise), observe=right_for_one), mistakes)
    words = " ".join(words for _, words in mistakes)
    with pytest.raises(AssertionError):  # one hint for all
        prove_mistakes(dataclasses.replace(plain_copy(exercise), mistakes=[], otherwise=words, gives=words), mistakes)
    with pytest.raises(AssertionError):
        refuses = dataclasses.replace(plain_copy(exercise), truth=lambda *inputs: "another value", mistakes=[])
        prove_reference(refuses, reference)


def plain_copy(exercise):
    """The exercise without what a graded part has beside it."""
    fields = {f.name: getattr(exercise, f.name) for f in dataclasses.fields(ex.Exercise)}
    return ex.Exercise(**fields)


def test_check_prints_and_returns_nothing(capsys):
    assert registry.check(MOST_LIKELY, None) is None
    assert capsys.readouterr().out == "not attempted yet\n"
    registry.check(MOST_LIKELY, answers("first-fine-tune").reference_token_loss)
    assert capsys.readouterr().out == "passed\n"
    registry.check(MOST_LIKELY, lambda logits, labels: 1.5)
    out = capsys.readouterr().out
    assert out.startswith("not yet\n") and "your answer: 1.5" in out
    assert max(map(len, out.splitlines())) <= ex.WIDTH


@pytest.mark.parametrize(
    "body", ["...", "return None", "pass", "return ...", "raise NotImplementedError", "raise NotImplementedError('x')"]
)
def test_every_usual_stub_is_not_attempted(body):
    space = {}
    exec(f"def token_loss(logits, labels):\n    'Doc.'\n    {body}", space)
    assert registry.assess(MOST_LIKELY, space["token_loss"]).status == ex.NOT_ATTEMPTED
    assert registry.assess(MOST_LIKELY, ...).status == ex.NOT_ATTEMPTED


def test_begun_and_then_not_implemented_is_not_attempted():
    def token_loss(logits, labels):
        logits = logits.float()
        raise NotImplementedError

    assert registry.assess(MOST_LIKELY, token_loss).status == ex.NOT_ATTEMPTED


def test_an_error_of_torch_is_not_taken_for_a_stub():
    def token_loss(logits, labels):
        return unsupported(logits)

    def unsupported(logits):
        raise NotImplementedError("not implemented for Half")

    # As if torch had raised it: no line of the student's own says so.
    unsupported.__code__ = unsupported.__code__.replace(co_filename="torch/nowhere.py")
    result = registry.assess(MOST_LIKELY, token_loss)
    assert result.status == ex.NOT_YET and "not implemented for Half" in result.message


def test_an_exception_says_type_message_and_line_and_no_traceback():
    source = "def token_loss(logits, labels):\n    x = 1\n    return labels.first\n"
    name = "<cell>"
    linecache.cache[name] = (len(source), None, source.splitlines(True), name)
    space = {}
    exec(compile(source, name, "exec"), space)
    message = " ".join(registry.assess(MOST_LIKELY, space["token_loss"]).message.split())
    assert "AttributeError: " in message and "at line 3: return labels.first" in message
    assert "Traceback" not in message and name not in message


def test_wrong_arguments_and_exit_are_feedback():
    result = registry.assess(MOST_LIKELY, lambda logits: 1.0)
    assert "TypeError" in result.message and "token_loss(logits, labels)" in result.message
    assert "SystemExit" in registry.assess(MOST_LIKELY, lambda logits, labels: exit_(labels)).message


def exit_(_):
    raise SystemExit(3)


def test_an_interrupt_passes_through():
    def token_loss(logits, labels):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        registry.assess(MOST_LIKELY, token_loss)


def test_a_result_instead_of_a_function():
    assert "without brackets" in registry.assess(MOST_LIKELY, torch.tensor(2.0)).hint


def test_an_answer_that_changes_its_input_fools_nobody():
    def token_loss(logits, labels):
        logits.zero_()  # and now make the loss 0
        logits[:, :-1].scatter_(2, labels[:, 1:].clamp(min=0)[..., None], 1e4)
        return 0.0

    assert registry.assess(MOST_LIKELY, token_loss).status == ex.NOT_YET

    def make_labels(rows, end_id):
        for row in rows:
            row[:] = [end_id]
        one = torch.full((len(rows), 1), end_id)
        return one, one.clone()

    assert registry.assess("first-fine-tune/mask-padding", make_labels).status == ex.NOT_YET


def test_an_answer_gets_copies():
    original = [[1, 2]]
    running.observed(lambda rows: rows[0].append(3) or 1, [original], "f(rows)", None)
    assert original == [[1, 2]]


def test_an_answer_that_prints_passes(capsys):
    def token_loss(logits, labels):
        print("shape", logits.shape)
        return answers("first-fine-tune").reference_token_loss(logits, labels)

    registry.check(MOST_LIKELY, token_loss)
    assert capsys.readouterr().out.endswith("\npassed\n")


@pytest.mark.filterwarnings("error")
def test_a_tensor_with_its_graph_passes_and_text_does_not():
    reference = answers("first-fine-tune").reference_token_loss
    assert registry.assess(MOST_LIKELY, lambda l, i: reference(l.requires_grad_(), i)).status == "passed"
    assert "one number" in registry.assess(MOST_LIKELY, lambda l, i: str(float(reference(l, i)))).message


@pytest.mark.parametrize(
    "value",
    [
        "text",
        [1],
        {},
        torch.zeros(3),
        torch.zeros(0),
        float("nan"),
        (1, 2),
        (torch.tensor(1), torch.tensor(2)),
        object(),
    ],
)
def test_no_strange_value_breaks_a_judge(value):
    for _, exercise in ALL:
        assert ex.judged(exercise, lambda *inputs: inputs and value).status == ex.NOT_YET


def test_unknown_exercise():
    with pytest.raises(ValueError, match="did you mean 'first-fine-tune/token-loss'") as error:
        registry.check("first-fine-tune/token-los", None)
    assert "first-fine-tune/mask-padding" in str(error.value)


def test_an_exercise_says_level_and_minutes_within_bounds():
    with pytest.raises(ValueError, match="warm-up, core, challenge"):
        dataclasses.replace(ALL[0][1], level="hard")
    with pytest.raises(ValueError, match="5 to 20"):
        dataclasses.replace(ALL[0][1], minutes=45)
