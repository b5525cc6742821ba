# %% [markdown]
# # Homework 3: Augmentation, and text that the model has not seen
#
# *Core, about 60 minutes.*
#
# There are sixty documents to train on, and no more to be had. Writing variants of them costs
# nothing. Does it help on documents that the model has not seen? You will write an augmentation, look
# for texts that stand on both sides of the split, and measure the answer.
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
# ## Part 1. Words that mean the same (10 points)
#
# {{exercise:homework/replace-words}}
#
# Random, and yet to be repeated: the draws come from outside. So the same draws must always give the
# same words.
#
# `hint("homework/replace-words")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/replace-words}}


check("homework/replace-words", replace_words)

# %% [markdown]
# ## Part 2. Texts on both sides (10 points)
#
# {{exercise:homework/leaks}}
#
# If a validation text is nearly a training text, the model has seen it. Augmentation makes this
# worse, because it writes near-copies.
#
# `hint("homework/leaks")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/leaks}}


check("homework/leaks", leaks)

# %% [markdown]
# ## Part 3. The gain on unseen text (10 points)
#
# {{exercise:homework/unseen-gain}}
#
# Documents are of unequal lengths. A mean over documents and a mean over tokens are two figures; this
# one is over tokens.
#
# `hint("homework/unseen-gain")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/unseen-gain}}


check("homework/unseen-gain", unseen_gain)

# %% [markdown]
# ## The experiment
#
# Your sixty documents are drawn by your id. Both runs make the same number of updates. It is not
# graded;
# the open question asks what you see.

# %% tags=["nbval-ignore-output"]
PARTS = ["homework/replace-words", "homework/leaks", "homework/unseen-gain"]
SYNONYMS = {"returns": "gives", "return": "give", "list": "sequence", "nodes": "vertices",
            "node": "vertex", "optional": "if given", "default": "usual", "number": "count"}
if passed(*PARTS):
    docs, (_, tokenizer) = lmtune.language_modelling("networkx"), lmtune.load("pocket-mini")
    rng = random.Random(f"documents of {STUDENT_ID}")
    mine, unseen = rng.sample(docs.train, 60), docs.validation[:40]
    out = set(leaks(mine, unseen, 0.6))
    unseen = [text for i, text in enumerate(unseen) if i not in out]
    print(f"{len(out)} of 40 validation texts leak and are left out")
else:
    print("Pass the three parts first: this cell works with your functions.")

# %% tags=["nbval-ignore-output"]
def variant(text):
    """One augmented copy; lines stay lines."""
    lines = [line.split(" ") for line in text.split("\n")]
    return "\n".join(" ".join(replace_words(words, SYNONYMS, 0.5, [rng.random() for _ in words]))
                     for words in lines)


def losses_after(texts):
    """[loss, tokens] of each unseen document after training on these texts."""
    model, _ = lmtune.load("pocket-mini")
    lmtune.fit(model, lmtune.windows(texts, tokenizer, context=96), steps=60, lr=1e-3, progress=False)
    rows = [lmtune.windows([text], tokenizer, context=96) for text in unseen]
    measured = [lmtune.evaluate(model, row) for row in rows]
    return [[result.loss, result.labels] for result in measured]


if passed(*PARTS):
    plain, augmented = losses_after(mine), losses_after(mine + [variant(text) for text in mine])
    a, b, ratio = unseen_gain(plain, augmented)
    print(f"nats per token, unseen: {a:.3f} plain, {b:.3f} augmented; perplexity times {ratio:.3f}")
else:
    print("Pass the three parts first.")

# %% [markdown]
# ## Open question (6 points)
#
# Did augmentation help on unseen text in your runs? Say what you measured on which text, why the
# training loss alone could not have answered, and one augmentation that would change what a text
# means.
#
# How it is marked:
#
# - 2 points: answers with the own ratio of perplexities and the text on which it was measured
# - 2 points: explains that training loss is measured on text that the model was fitted to, and that
#   augmentation raises it
# - 2 points: gives an example of an augmentation that changes the meaning, and why that harms the
#   label
#
# Write your answer below, in ten sentences at most. Leave the words “Your answer” in place.

# %% [markdown]
# **Your answer:**

# %% [markdown]
# ## How far you have come

# %%
card("homework/augmentation")
