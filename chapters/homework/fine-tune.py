# %% [markdown]
# # Homework 1: Fine-tune a pretrained model on a task of your own
#
# *Core, about 70 minutes.*
#
# A small shop gets more tickets than its two people can read. They would like each sorted into one of
# four boxes. Nobody has a model for that, but there is a pretrained one that can write English. You
# will turn tickets into training examples, hold some out fairly, fine-tune, and score the result so
# that the rare box counts too.
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
from lmtune import card, check, claim, hint, passed

# %% [markdown]
# ## Your shop
#
# These tickets are made up from your id: what is sold, who writes, and what about. No two students
# have
# the same ones.

# %% tags=["nbval-ignore-output"]
SAYS = {
    "billing": ["the invoice for {} is wrong", "I was charged twice for {}", "no refund for {}"],
    "delivery": ["{} has not arrived", "the parcel with {} came open", "where is {} that I ordered"],
    "login": ["I cannot sign in to see {}", "my password fails when I order {}"],
    "praise": ["thank you for {}", "{} is lovely"],
}
GOODS = ["the lamp", "the blue teapot", "a desk", "two chairs", "my bicycle", "the old clock", "a rug"]
NAMES = ["Ada", "Bo", "Cem", "Dunja", "Efe", "Femi", "Gil", "Hana", "Ivo", "Jun", "Kim", "Lea"]
rng = random.Random(f"tickets of {STUDENT_ID}")
goods, tickets = rng.sample(GOODS, 4), []
for _ in range(200):
    box = rng.choices(list(SAYS), weights=[6, 5, 3, 1])[0]
    tickets.append((rng.choice(NAMES), rng.choice(SAYS[box]).format(rng.choice(goods)), box))
print(len(tickets), "tickets, such as", tickets[0][1])

# %% [markdown]
# ## Part 1. One training example (10 points)
#
# {{exercise:homework/build-example}}
#
# The prompt is the ticket, the answer the name of its box. If the loss counted the prompt as well,
# most of the training would go into writing tickets.
#
# `hint("homework/build-example")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/build-example}}


check("homework/build-example", build_example)

# %% [markdown]
# ## Part 2. A fair split (10 points)
#
# {{exercise:homework/hold-out}}
#
# A customer who writes twice writes alike. If one of the tickets is trained on and the other
# validated on, the score says little about new customers.
#
# `hint("homework/hold-out")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/hold-out}}


check("homework/hold-out", hold_out)

# %% [markdown]
# ## Part 3. A score in which the rare box counts (10 points)
#
# {{exercise:homework/macro-f1}}
#
# Six tickets in fifteen are about billing. A model that always says so is right often and useless to
# whoever waits for praise.
#
# `hint("homework/macro-f1")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/macro-f1}}


check("homework/macro-f1", macro_f1)

# %% [markdown]
# ## The experiment
#
# With the three parts passed, this cell fine-tunes `pocket-mini` with your functions and scores it on
# customers that it has not met. It is not graded; the open question asks what you see.

# %% tags=["nbval-ignore-output"]
PARTS = ["homework/build-example", "homework/hold-out", "homework/macro-f1"]
if passed(*PARTS):
    model, tokenizer = lmtune.load("pocket-mini")
    held = set(hold_out([name for name, _, _ in tickets], 0.25))
    examples = []
    for _, text, box in [t for i, t in enumerate(tickets) if i not in held]:
        texts = (f"{text}. Box:", f" {box}")
        prompt, answer = (tokenizer(s, add_special_tokens=False)["input_ids"] for s in texts)
        end = tokenizer.eos_token_id
        ids, labels = build_example([end, *prompt], answer, end, 48)
        examples.append({"input_ids": ids, "labels": labels, "characters": len(box) + 1})
    history = lmtune.fit(model, examples, steps=100, batch_size=16, lr=2e-3, progress=False)
    print(f"loss of the answers: {history.losses[0]:.2f} at first, {history.losses[-1]:.2f} at last")
else:
    print("Pass the three parts first: this cell trains with your functions.")

# %% tags=["nbval-ignore-output"]
if passed(*PARTS):
    truth = [tickets[i][2] for i in sorted(held)]
    said = []
    for i in sorted(held):
        prompt = f"{tickets[i][1]}. Box:"
        written = lmtune.generate(model, tokenizer, prompt, max_new_tokens=4)[len(prompt):]
        said.append(written.split()[:1])
    said = [words[0] if words else "" for words in said]
    usual = max(sorted(set(truth)), key=truth.count)
    print(f"macro-F1 on {len(truth)} tickets of customers not met: {macro_f1(truth, said):.2f}")
    print(f"always saying {usual!r}: {macro_f1(truth, [usual] * len(truth)):.2f}")
    claim("the fine-tuned model scores above the most frequent box",
          macro_f1(truth, said) > macro_f1(truth, [usual] * len(truth)))
else:
    print("Pass the three parts first.")

# %% [markdown]
# ## Open question (6 points)
#
# Your model was fine-tuned on the tickets of one shop. Name one figure that you measured, the
# baseline beside which it must be read, and one thing that this experiment cannot tell about another
# shop.
#
# How it is marked:
#
# - 2 points: names a figure from the own run, with its unit, and on which tickets it was measured
# - 2 points: reads it beside a baseline: the most frequent class, or the model before training
# - 2 points: says what was not varied (one shop, one seed, generated tickets) and what follows from
#   it
#
# Write your answer below, in ten sentences at most. Leave the words “Your answer” in place.

# %% [markdown]
# **Your answer:**

# %% [markdown]
# ## How far you have come

# %%
card("homework/fine-tune")
