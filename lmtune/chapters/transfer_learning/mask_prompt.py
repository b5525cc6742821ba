"""The exercise "mask prompt": labels that count the completion and its end, and nothing else."""

from __future__ import annotations

import random

from lmtune.exercises.exercise import Exercise
from lmtune.exercises.plain import ANY


def _inputs(rng: random.Random) -> list:
    # Tokens of the completion, and the end, also stand in the prompt and in the completion itself.
    return [[[5, 8, 3], [4, 9], 2], [[2, 7], [2, 6, 5], 2], [[6, 9, 4, 9], [7, 9], 3]]


def _truth(prompt, completion, end):
    pairs = [(token, -100) for token in prompt] + [(token, token) for token in completion] + [(end, end)]
    return [token for token, _ in pairs], [label for _, label in pairs]


def _ids(wrong):
    """A mistake in the ids, whatever the labels are."""
    return lambda *case: (wrong(*case), ANY)


def _labels(wrong):
    """A mistake in the labels, beside right ids; it is given what stands before and behind the seam."""
    return lambda prompt, completion, end: (prompt + [*completion, end], wrong(prompt, [*completion, end]))


def _hidden(prompt, behind):
    return [-100] * len(prompt) + behind


def _found(prompt, behind):
    """The completion looked for by its first token."""
    start = (prompt + behind).index(behind[0])
    return [-100] * start + (prompt + behind)[start:]


EXERCISE = Exercise(
    id="mask-prompt",
    level="core",
    minutes=10,
    aim="Make an example whose loss counts the completion and its end, and not the prompt.",
    stub='''\
def mask_prompt(prompt, completion, end_id):
    """One training example from a prompt and its completion.

    prompt, completion: lists of token ids, not empty.  Returns (ids, labels),
    lists of one length: prompt, completion and end_id, and their labels, -100
    where the loss shall not look.  The loss shifts the labels itself.
    """
    ...  # your code here
''',
    inputs=_inputs,
    truth=_truth,
    gives="two lists: return ids, labels",
    otherwise="ids: prompt, completion, end_id; labels: the same with -100 at the prompt",
    mistakes=[
        (lambda *case: _truth(*case)[::-1], "the two are the wrong way round: return ids, labels"),
        (
            lambda p, c, end: (p + c, _hidden(p[1:], [*c, end])),
            "ids without their last token and labels without their first are shifted against each other: "
            "give both whole, for the loss shifts the labels itself",
        ),
        (_ids(lambda p, c, end: p + c), "the end is missing from the ids: append end_id"),
        (
            _ids(lambda p, c, end: [*p, end, *c, end]),
            "there is an end between prompt and completion: the two are one text",
        ),
        (
            _ids(lambda p, c, end: _hidden(p, [*c, end])),
            "-100 stands among the ids: the model must read the prompt, only the labels are masked",
        ),
        (_ids(lambda p, c, end: [*c, end]), "the prompt is missing from the ids: it is read, though not counted"),
        (
            _labels(lambda p, behind: p + behind),
            "the prompt is counted: its labels must be -100, or the model learns to write prompts",
        ),
        (
            _labels(lambda p, behind: p + [-100] * len(behind)),
            "the wrong part is masked: it is the completion that counts",
        ),
        (
            _labels(lambda p, behind: _hidden(p + behind, [])),
            "everything is masked: the completion and its end keep their ids as labels",
        ),
        (
            _labels(lambda p, behind: _hidden(p + behind[:-1], behind[-1:])),
            "only the end counts: the tokens of the completion keep their ids as labels too",
        ),
        (
            _labels(lambda p, behind: _hidden(p, [*behind[:-1], -100])),
            "the end has no label: the model would never learn to stop",
        ),
        (
            _labels(lambda p, behind: _hidden(p, [-100 if t == behind[-1] else t for t in behind])),
            "every token that equals end_id is masked: all tokens behind the prompt count, the end too",
        ),
        (
            _labels(lambda p, behind: _hidden(p, [-100, *behind[1:]])),
            "the first token of the completion is masked too: it is what the prompt's last position predicts",
        ),
        (
            _labels(lambda p, behind: _hidden(p[1:], [*behind, -100])),
            "the labels are shifted: labels[t] belongs to ids[t], and the loss shifts them itself",
        ),
        (
            _labels(lambda p, behind: _hidden(p, [-100, *behind[:-1]])),
            "the labels are shifted to the right: labels[t] belongs to ids[t], so the last label is end_id",
        ),
        (_labels(lambda p, behind: _hidden(p[1:], p[-1:] + behind)), "the last token of the prompt is counted"),
        (
            _labels(lambda p, behind: [-100 if t in p else t for t in p + behind]),
            "masked by value: a token of the completion that the prompt has too must count; mask the first len(prompt)",
        ),
        (
            _labels(_found),
            "the completion was looked for by its first token, which may stand in the prompt too: "
            "it begins at len(prompt)",
        ),
        (
            _labels(lambda p, behind: behind),
            "the labels are shorter than the ids: give one for each, -100 at the prompt",
        ),
        (
            _labels(lambda p, behind: _hidden(p + behind, behind)),
            "the labels are longer than the ids: after ids = prompt, ids += completion lengthens the prompt itself; "
            "write prompt + completion",
        ),
        (_labels(lambda p, behind: [0] * len(p) + behind), "0 is a token like any other: what is left out is -100"),
        (_labels(lambda p, behind: [-1] * len(p) + behind), "-1 is not what torch leaves out: that is -100"),
        (
            _labels(lambda p, behind: [0] * len(p) + [1] * len(behind)),
            "that is a mask of 0 and 1: a label is the token's id itself, or -100",
        ),
    ],
)
