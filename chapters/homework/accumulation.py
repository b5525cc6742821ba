# %% [markdown]
# # Homework 4: Large batches on little memory
#
# *Core, about 55 minutes.*
#
# A recipe asks for a batch of 32, and your card holds 8 examples. Accumulating gradients promises the
# same training in four bites. Is it the same? You will add up gradients exactly, choose the micro-
# batch, measure what padding wastes, and then look whether two runs agree.
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

import time

import lmtune
from lmtune import card, check, claim, hint, passed

# %% [markdown]
# ## Part 1. One gradient from many bites (10 points)
#
# {{exercise:homework/accumulated}}
#
# Most published loops average the means of the micro-batches. That is right only while all of them
# have the same number of examples.
#
# `hint("homework/accumulated")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/accumulated}}


check("homework/accumulated", accumulated)

# %% [markdown]
# ## Part 2. Which bite fits? (10 points)
#
# {{exercise:homework/split-batch}}
#
# Weights, gradients and the optimizer take the same memory whatever the micro-batch; activations grow
# with it.
#
# `hint("homework/split-batch")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/split-batch}}


check("homework/split-batch", split_batch)

# %% [markdown]
# ## Part 3. What padding wastes (10 points)
#
# {{exercise:homework/padding-share}}
#
# A micro-batch is as wide as its longest row. The rest of the shorter rows is computed and thrown
# away.
#
# `hint("homework/padding-share")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/padding-share}}


check("homework/padding-share", padding_share)

# %% [markdown]
# ## The experiment
#
# Two runs on your documents: one batch of 32, and micro-batches of the size that your function
# chooses for
# a made-up card. The model has no dropout, so nothing but rounding should tell them apart. It is not
# graded; the open question asks what you see.

# %% tags=["nbval-ignore-output"]
PARTS = ["homework/accumulated", "homework/split-batch", "homework/padding-share"]
if passed(*PARTS):
    docs, (_, tokenizer) = lmtune.language_modelling("networkx"), lmtune.load("pocket-mini")
    mine = random.Random(f"documents of {STUDENT_ID}").sample(docs.train, 100)
    train = lmtune.windows(mine, tokenizer, context=64)[:256]
    micro, times = split_batch(32, 900, 120, 2000)
    print(f"{times} micro-batches of {micro}")
    finals = []
    for size, count in ((32, 1), (micro, times)):
        model, _ = lmtune.load("pocket-mini")
        began = time.perf_counter()
        history = lmtune.fit(model, train, steps=16, batch_size=size, accumulate=count, progress=False)
        finals.append(history.losses[-1])
        print(f"{count} x {size}: loss {finals[-1]:.5f}, {time.perf_counter() - began:.1f} s")
    share = padding_share([len(row["input_ids"]) for row in train], micro)
    print(f"padding in micro-batches of {micro}: {100 * share:.0f}%")
    claim("the two runs end with the same loss to three digits", abs(finals[0] - finals[1]) < 5e-3)
else:
    print("Pass the three parts first: this cell works with your functions.")

# %% [markdown]
# ## Open question (6 points)
#
# You trained with one large batch and with micro-batches. Which of loss, memory and time should
# agree, and which differ? Say what your runs showed, and when accumulation is the wrong remedy.
#
# How it is marked:
#
# - 2 points: says that the losses agree up to rounding when the mean is over all tokens, and shows
#   the own figures
# - 2 points: says that memory of activations falls and that time does not, with a reason
# - 2 points: names a case where it does not help: weights or optimizer alone do not fit, or the batch
#   need not be large
#
# Write your answer below, in ten sentences at most. Leave the words “Your answer” in place.

# %% [markdown]
# **Your answer:**

# %% [markdown]
# ## How far you have come

# %%
card("homework/accumulation")
