# %% [markdown]
# # Homework 2: Warm-up and decay against a constant rate, each at its best
#
# *Core, about 85 minutes: 53 for the three parts, a quarter of an hour for the experiment, which trains
# for about two minutes, and the rest for the open question.*
#
# Your team adapts a model to the documentation of a library. A colleague has compared two ways to train:
# a constant learning rate, and a rate that warms up and then decays. Both had the same rate, and one of
# them won clearly. Was it the better way, or did the rate suit it? You will search for a rate for each
# way, compare again, and see what is left of the difference.
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
import math
import random
from itertools import product
from statistics import fmean

from scipy import stats
from tqdm.auto import tqdm

import lmtune
from lmtune import card, check, hint, passed
from lmtune.chapters.homework.adaptations import adaptation

# %% [markdown]
# ## Part 1. The next rates to try (10 points)
#
# {{exercise:homework/next-rates}}
#
# If the best rate is the last of a list, the list says only that the best lies there or beyond. A
# comparison at such a rate is one between an arm and half a search.
#
# `hint("homework/next-rates")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/next-rates}}


check("homework/next-rates", next_rates)

# %% [markdown]
# ## Part 2. A random search that keeps a budget (10 points)
#
# {{exercise:homework/random-settings}}
#
# A list of rates leaves the warm-up as it was. A random search can move both, and costs what you allow.
#
# `hint("homework/random-settings")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/random-settings}}


check("homework/random-settings", random_settings)

# %% [markdown]
# ## Part 3. Two arms, seed by seed (10 points)
#
# {{exercise:homework/paired-seeds}}
#
# Two runs with the same seed see the same batches in the same order. Comparing them pair by pair
# takes that luck out. A log is seldom in order: runs end when they end, and some are made again.
#
# `hint("homework/paired-seeds")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/paired-seeds}}


check("homework/paired-seeds", paired_seeds)

# %% [markdown]
# ## The experiment
#
# The experiment is not graded; the open question asks what you see. Which library, how many documents
# and which rate your colleague has used depends on your id. Rates and warm-ups are chosen on the
# library's validation documents; what you report is measured on its test documents, which choose
# nothing.

# %% tags=["nbval-ignore-output"]
mine, tokenizer = adaptation(STUDENT_ID), lmtune.load("pocket-mini")[1]
docs = lmtune.language_modelling(mine.library)
rng = random.Random(f"rows of {STUDENT_ID}")
texts = [rng.sample(docs.train, mine.documents), docs.validation, docs.test]
train, choose, test = [lmtune.windows(some, tokenizer, context=48) for some in texts]
choose, test = rng.sample(choose, 128), rng.sample(test, 256)
print(f"{mine.documents} documents of {mine.library}, {len(train)} rows to train on")
print(f"your colleague's rate: {mine.rate:g}")

# %% [markdown]
# **One run** makes 24 updates of 8 rows. The two arms differ in nothing but the schedule: `constant`
# keeps its rate; `decay` rises over 3 updates to the peak and falls along a line towards 0.

# %%
DECAY = {"schedule": "linear", "warmup": 3}
ARMS = {"constant": {"schedule": "constant"}, "decay": DECAY}


def loss_after(settings, lr, seed, rows):
    """The loss on some rows after one run; None where it diverged."""
    model, _ = lmtune.load("pocket-mini")
    lmtune.fit(model, train, steps=24, lr=lr, seed=seed, progress=False, **settings)
    loss = lmtune.evaluate(model, rows, progress=False).loss
    return loss if math.isfinite(loss) else None


# %%
def told(what, a, b):
    """Print the paired difference of two arms."""
    t = [stats.t.ppf(0.975, degrees) for degrees in range(1, 10)]
    mean, half, pairs, left = paired_seeds(a, b, t)
    print(f"{what}: {mean:+.4f} ± {half:.4f} nats; {pairs} pairs, {left} left over")
    print("  resolved" if abs(mean) > half else "  not resolved: the interval holds 0")


# %% [markdown]
# **Your colleague's comparison**: both arms at one rate, five seeds, read on test rows. The untrained
# model stands beside it. The ± is the half-width of the 95 % interval over the five seeds, here and
# below.

# %% tags=["nbval-ignore-output"]
PARTS = ["homework/next-rates", "homework/random-settings", "homework/paired-seeds"]


def report(settings, lr):
    """Five runs, read on the test rows, as pairs [seed, loss]."""
    seeds = tqdm(range(5), leave=False)
    return [[seed, loss_after(settings, lr, seed, test)] for seed in seeds]


if passed(*PARTS):
    before = lmtune.evaluate(lmtune.load("pocket-mini")[0], test, progress=False)
    print(f"test loss of the model before training: {before.loss:.3f} nats")
    theirs = {arm: report(settings, mine.rate) for arm, settings in ARMS.items()}
    told(f"constant minus decay, both at {mine.rate:g}", *theirs.values())
else:
    print("Pass the three parts first: the experiment works with your functions.")

# %% [markdown]
# **A rate for each arm.** Both searches start from the same three rates, with two seeds that are used
# for nothing else, on validation rows. Your function widens the list until the best lies inside.

# %% tags=["nbval-ignore-output"]
def searched(settings, waiting=(2.5e-4, 5e-4, 1e-3)):
    """The runs of a search, as pairs [rate, loss]."""
    runs = []
    while waiting and len(runs) < 20:
        for lr, seed in tqdm([*product(waiting, (100, 101))], leave=False):
            runs.append([lr, loss_after(settings, lr, seed, choose)])
        waiting = next_rates(runs, 2.0)
    return runs


searches = {}
if passed(*PARTS):
    searches = {arm: searched(settings) for arm, settings in ARMS.items()}

# %% tags=["nbval-ignore-output"]
best = {}
for arm, runs in searches.items():
    losses = {rate: [] for rate in sorted({rate for rate, _ in runs})}
    for lr, loss in runs:
        losses[lr].append(math.inf if loss is None else loss)
    means = {rate: fmean(some) for rate, some in losses.items()}
    best[arm] = min(means, key=means.get)
    edge = best[arm] in (min(means), max(means))
    print(f"{arm}: best rate {best[arm]:g}, {'at the edge' if edge else 'inside'};",
          f"{len(runs)} runs, validation loss",
          "  ".join(f"{rate:g}: {mean:.3f}" for rate, mean in means.items()))

# %% [markdown]
# **The comparison again**, each arm at its own rate.

# %% tags=["nbval-ignore-output"]
if best:
    tuned = {arm: report(settings, best[arm]) for arm, settings in ARMS.items()}
    for arm, runs in tuned.items():
        losses = [loss for _, loss in runs if loss is not None]
        print(f"{arm} at {best[arm]:g}: mean test loss {fmean(losses):.4f}")
    told("constant minus decay, each at its own rate", *tuned.values())

# %% [markdown]
# **A random search** for `decay` moves the peak and the warm-up, from 0 to 12 updates. Its budget is the
# number of runs that the list has cost.

# %% tags=["nbval-ignore-output"]
if best:
    draws = [[rng.random(), rng.random()] for _ in range(60)]
    settings = random_settings(draws, 1e-4, 4e-3, 12, len(searches["decay"]))
    losses = []
    for peak, warmup in tqdm(settings, leave=False):
        loss = loss_after(DECAY | {"warmup": warmup}, peak, 100, choose)
        losses.append(math.inf if loss is None else loss)
    peak, warmup = settings[losses.index(min(losses))]
    print(f"{len(settings)} runs; best: peak {peak:.2g}, warm-up {warmup} updates")
    drawn = report(DECAY | {"warmup": warmup}, peak)
    told("random search minus list, both with decay", drawn, tuned["decay"])

# %% [markdown]
# ## Open question (6 points)
#
# At your colleague's rate, which arm won and by how much? Say what became of this difference when each
# arm had a rate of its own, what searching the warm-up as well added for the same number of runs, and
# which of the three comparisons you would show to your team.
#
# How it is marked:
#
# - 2 points: gives the difference with its half-width at the colleague's rate and at the tuned rates,
#   from the own runs
# - 2 points: explains the change: one rate suits one arm, and a decay spends less on the same peak; not
#   resolved is not called equal
# - 2 points: reads the random search at equal cost, on the text that chose nothing, and says what was
#   not varied: the model, the number of updates, the documents
#
# Write your answer below, in ten sentences at most. Leave the words “Your answer” in place.

# %% [markdown]
# **Your answer:**

# %% [markdown]
# ## Before you hand in
#
# Save this notebook and let it be read as the grader will read it: in a terminal with
# `lmtune homework check schedule.ipynb`, or here with `lmtune.check_notebook("schedule.ipynb")`; the name is the one
# under which you saved it. It says which cells count, and whether each part passes on its own.

# %% [markdown]
# ## How far you have come

# %%
card("homework/schedule")
