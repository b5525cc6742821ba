"""The exercise "mask prompt": labels that count the completion and its end, and nothing else."""
from __future__ import annotations

from typing import Any

import torch

from lmtune.exercises.exercise import Exercise, Feedback, call, recognise, shown

_FORM = "mask_prompt(prompt, completion, end_id)"


def _right(prompt, completion, end):
    return [*prompt, *completion, end], [-100] * len(prompt) + [*completion, end]


def _label_mistakes(prompt, completion, end) -> list[tuple[list[int], str]]:
    ids, right = _right(prompt, completion, end)
    hidden = [-100] * len(prompt)
    return [
        (ids, "the prompt is counted: its labels must be -100, or the model learns to write prompts"),
        ([*prompt, *[-100] * (len(completion) + 1)], "the wrong part is masked: it is the completion that counts"),
        ([*hidden, *completion, -100], "the end has no label: the model would never learn to stop"),
        ([*hidden, -100, *completion[1:], end], "the first token of the completion is masked too: it is what the "
         "prompt's last position predicts"),
        ([*hidden[1:], *completion, end, -100], "the labels are shifted: labels[t] belongs to ids[t], and the loss "
         "shifts them itself"),
        ([*hidden[1:], prompt[-1], *completion, end], "the last token of the prompt is counted"),
        ([*completion, end], "the labels are shorter than the ids: give one for each, -100 at the prompt"),
        ([0] * len(prompt) + [*completion, end], "0 is a token like any other: what is left out is -100"),
    ]


def _id_mistakes(prompt, completion, end) -> list[tuple[list[int], str]]:
    hidden = [-100] * len(prompt)
    return [
        ([*prompt, *completion], "the end is missing from the ids: append end_id"),
        ([*prompt, end, *completion, end], "there is an end between prompt and completion: the two are one text"),
        ([*hidden, *completion, end], "-100 stands among the ids: the model must read the prompt, only the labels "
         "are masked"),
        ([*completion, end], "the prompt is missing from the ids: it is read, though not counted"),
    ]


def _plain(value: Any) -> Any:
    return value.tolist() if isinstance(value, torch.Tensor) else list(value) if isinstance(value, tuple) else value


def _judge(answer: Any) -> Feedback | None:
    for prompt, completion, end in (([5, 8, 3], [4, 9], 2), ([2, 7], [2, 6, 5], 2)):
        value, given = call(answer, prompt, completion, end, form=_FORM), f"{prompt}, {completion}, {end}"
        if not (isinstance(value, (tuple, list)) and len(value) == 2):
            return Feedback(shown(value), "a pair (ids, labels)", "give both back: return ids, labels", given)
        truths = _right(prompt, completion, end)
        known = (_id_mistakes(prompt, completion, end), _label_mistakes(prompt, completion, end))
        for name, got, truth, mistakes in zip(("ids", "labels"), map(_plain, value), truths, known):
            if got != truth:
                hint = recognise(lambda wrong: got == wrong, mistakes,
                                 "ids: prompt, completion, end_id; labels: the same with -100 at the prompt")
                return Feedback(f"{name} {str(got)[:60]}", str(truth), hint, given)
    return None


EXERCISE = Exercise(
    id="mask-prompt", level="core", minutes=10, judge=_judge,
    aim="Make an example whose loss counts the completion and its end, and not the prompt.",
    stub='''\
def mask_prompt(prompt, completion, end_id):
    """One training example from a prompt and its completion.

    prompt, completion: lists of token ids, not empty.  Returns (ids, labels),
    lists of one length: prompt, completion and end_id, and their labels, -100
    where the loss shall not look.  The loss shifts the labels itself.
    """
    ...  # your code here
''')
