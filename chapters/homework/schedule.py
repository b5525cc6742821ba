# %% [markdown]
# # Homework 2: A learning-rate schedule, and what it does
#
# *Core, about 60 minutes.*
#
# Your team trains with a constant rate and somebody has read that a long plateau with a short decay
# is better. Better by how much, and how sure is that? You will write the schedule, count the updates
# that it is stretched over, and compare it with a constant rate on text that is drawn for you.
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

import lmtune
from lmtune import card, check, hint, passed

# %% [markdown]
# ## Part 1. The schedule (10 points)
#
# {{exercise:homework/rates}}
#
# Warm-up, plateau, decay: three pieces. The usual slips are at their seams, so look at the first and
# the last update of each.
#
# `hint("homework/rates")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/rates}}


check("homework/rates", rates)

# %% [markdown]
# ## Part 2. How many updates? (10 points)
#
# {{exercise:homework/updates}}
#
# A schedule needs to know how long the run is. If this number is wrong, the decay never happens or
# happens too soon.
#
# `hint("homework/updates")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/updates}}


check("homework/updates", updates)

# %% [markdown]
# ## Part 3. A difference, and how sure it is (10 points)
#
# {{exercise:homework/paired-difference}}
#
# Two runs with the same seed see the same batches in the same order. Comparing them pair by pair
# takes that luck out.
#
# `hint("homework/paired-difference")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/paired-difference}}


check("homework/paired-difference", paired_difference)

# %% [markdown]
# ## The experiment
#
# Which documents you train on depends on your id; the comparison uses three seeds. For three
# differences
# the factor is $t = 4.303$ (two degrees of freedom, 95%). It is not graded; the open question asks
# what
# you see.

# %% tags=["nbval-ignore-output"]
PARTS = ["homework/rates", "homework/updates", "homework/paired-difference"]
if passed(*PARTS):
    docs, (_, tokenizer) = lmtune.language_modelling("networkx"), lmtune.load("pocket-mini")
    mine = random.Random(f"documents of {STUDENT_ID}").sample(docs.train, 120)
    train = lmtune.windows(mine, tokenizer, context=64)[:192]
    unseen = lmtune.windows(docs.validation, tokenizer, context=64)[:48]
    total = updates(len(train), 8, 1, 1)
    made = rates(total, 4, total // 5, 2e-3, 2e-5)

    def final_loss(schedule, seed):
        model, _ = lmtune.load("pocket-mini")
        lmtune.fit(model, train, epochs=1, lr=2e-3, schedule=schedule, seed=seed, progress=False)
        return lmtune.evaluate(model, unseen).loss

    constant = [final_loss("constant", seed) for seed in range(3)]
    decayed = [final_loss(lambda step, total: made[step] / 2e-3, seed) for seed in range(3)]
    difference, half = paired_difference(constant, decayed, 4.303)
    print(f"constant minus yours, nats per token on unseen documents: {difference:.3f} +- {half:.3f}")
else:
    print("Pass the three parts first: this cell trains with your functions.")

# %% [markdown]
# ## Open question (6 points)
#
# Compare your schedule with a constant rate from the runs that you made. Is the difference larger
# than its half-width? Say what you would conclude if it were not, and which comparison would be
# unfair.
#
# How it is marked:
#
# - 2 points: gives the difference and its half-width from the own runs, and on which text
# - 2 points: concludes rightly: not larger than the half-width means not shown, not that they are
#   equal
# - 2 points: names an unfair comparison: other peak rates searched, other numbers of updates, or
#   chosen seeds
#
# Write your answer below, in ten sentences at most. Leave the words “Your answer” in place.

# %% [markdown]
# **Your answer:**

# %% [markdown]
# ## How far you have come

# %%
card("homework/schedule")
