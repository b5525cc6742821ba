# %% [markdown]
# # Capstone: Four tools together, on summarization
#
# *Challenge, about 110 minutes.*
#
# A docstring begins with one line that says what the rest explains. Can a small model write that
# line? You have four tools: a schedule, early stopping, augmentation and dropout. Each is easy alone;
# together they get into each other's way. You will write the five functions that the run needs, train
# with all of them, and score on documents that the model has not seen.
#
# Your functions are graded on other inputs than those of the checks, drawn for you alone, so a
# neighbour's numbers do not pass. Keep their names; write what they need into this notebook. What
# they give back must be numbers, text or lists. `check` says at once what is wrong, `hint` helps one
# step at a time, and the card at the end says how far you have come. Nothing here needs a network or
# a GPU.
#
# Set your id first; the instructor's list decides who you are, and this cell only draws your data.

# %%
STUDENT_ID = "example"

# %%
import random

import torch

import lmtune
from lmtune import card, check, hint, passed

# %% [markdown]
# ## Part 1. A plan that may be cut short (10 points)
#
# {{exercise:homework/planned-rates}}
#
# Early stopping ends a run before its plan. The rates of the updates that were made are those of the
# plan.
#
# `hint("homework/planned-rates")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/planned-rates}}


check("homework/planned-rates", planned_rates)

# %% [markdown]
# ## Part 2. Stopping by a score (10 points)
#
# {{exercise:homework/stop-on-rouge}}
#
# The loss falls when the model learns to write documentation. Whether its summaries get better is
# another question, which ROUGE answers more nearly.
#
# `hint("homework/stop-on-rouge")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/stop-on-rouge}}


check("homework/stop-on-rouge", stop_on_rouge)

# %% [markdown]
# ## Part 3. Documents with gaps (10 points)
#
# {{exercise:homework/drop-sentences}}
#
# A summary that speaks of something the document no longer says teaches the model to invent.
#
# `hint("homework/drop-sentences")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/drop-sentences}}


check("homework/drop-sentences", drop_sentences)

# %% [markdown]
# ## Part 4. Dropout (10 points)
#
# {{exercise:homework/dropout}}
#
# You know it from the chapter; here the draws come from outside, so that your result can be compared.
#
# `hint("homework/dropout")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/dropout}}


check("homework/dropout", dropout)

# %% [markdown]
# ## Part 5. The score (10 points)
#
# {{exercise:homework/rouge-l}}
#
# Counting shared words rewards any order. The longest common subsequence asks for the right one.
#
# `hint("homework/rouge-l")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/rouge-l}}


check("homework/rouge-l", rouge_l)

# %% [markdown]
# ## The experiment
#
# The run below uses your schedule, your augmentation and your score; dropout is switched on in the
# model,
# and your early stopping decides which of the evaluations would have been kept. Which documents you
# get
# depends on your id. It is not graded; the open question asks what you see.

# %% tags=["nbval-ignore-output"]
NAMES = ("planned-rates", "stop-on-rouge", "drop-sentences", "dropout", "rouge-l")
PARTS = [f"homework/{name}" for name in NAMES]
if passed(*PARTS):
    docs, (_, tokenizer) = lmtune.summarization("networkx"), lmtune.load("pocket-mini")
    rng = random.Random(f"documents of {STUDENT_ID}")
    train, unseen = rng.sample(docs.train, 80), docs.validation[:12]
    start = lambda text: tokenizer(text, verbose=False)["input_ids"][:80]
    asked = lambda text: tokenizer.decode(start(text)) + "\n\nSummary:"
    pairs = []
    for one in train:
        sentences = one.text.split(". ")
        names = [w for w in one.summary.split() if len(w) > 6]
        gapped = drop_sentences(sentences, names, 0.2, [rng.random() for _ in sentences])
        pairs += [(asked(one.text), f" {one.summary}"), (asked(". ".join(gapped)), f" {one.summary}")]
    examples = lmtune.pairs(*zip(*pairs), tokenizer, context=160)
    print(len(examples), "examples from", len(train), "documents")
else:
    print("Pass the five parts first: this cell works with your functions.")

# %% tags=["nbval-ignore-output"]
def score(model):
    """Mean ROUGE-L, in percent, of the lines that the model writes for unseen documents."""
    found = []
    for one in unseen:
        prompt = asked(one.text)
        text = lmtune.generate(model, tokenizer, prompt, max_new_tokens=16)
        found.append(rouge_l(one.summary, text[len(prompt):].strip().split("\n")[0]))
    return 100 * sum(found) / len(found)


if passed(*PARTS):
    model, _ = lmtune.load("pocket-mini")
    for module in model.modules():
        if isinstance(module, torch.nn.Dropout):
            module.p = 0.1
    plan, scores = planned_rates(60, 6, 1e-3, 1e-5, 60), [score(model)]
    for first in range(0, 60, 20):
        part = plan[first:first + 20]
        lmtune.fit(model, examples, steps=20, lr=1e-3, seed=first, progress=False,
                   schedule=lambda step, total: part[step] / 1e-3)
        scores.append(score(model))
    print("ROUGE-L:", [round(s, 1) for s in scores], "[stopped, kept]:", stop_on_rouge(scores, 2, 0.5))
else:
    print("Pass the five parts first.")

# %% [markdown]
# ## Open question (8 points)
#
# You combined a schedule, early stopping, augmentation and dropout. Which of them changed ROUGE-L on
# unseen documents by more than two runs with different seeds differ, and how would you find out which
# to leave away?
#
# How it is marked:
#
# - 3 points: gives ROUGE-L on unseen documents with and without one of the tools, beside a spread
#   over seeds
# - 3 points: proposes an ablation: one tool left away at a time, same updates, same seeds, and says
#   what it costs
# - 2 points: says what ROUGE-L does not see: whether a summary is true
#
# Write your answer below, in ten sentences at most. Leave the words “Your answer” in place.

# %% [markdown]
# **Your answer:**

# %% [markdown]
# ## How far you have come

# %%
card("homework/capstone")
