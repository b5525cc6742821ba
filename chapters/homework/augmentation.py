# %% [markdown]
# # Homework 3: Augmentation, and text that the model has not seen
#
# *Core, about 85 minutes: 53 for the three parts, a quarter of an hour for the experiment, which trains
# for about two minutes, and the rest for the open question.*
#
# An app gets bug reports, and somebody has to read them all to know whether a report tells of a crash, of
# slowness, of a wrong result or of a wish. Sixteen of them have been sorted by hand. Sorting a hundred
# more costs a working day; making new reports out of the sentences of those that are sorted costs
# nothing. Is that as good? You will look for reports that were filed twice, write the augmentation,
# choose its strength, and measure what it is worth with few labels and with more.
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
from statistics import fmean

import torch
from tqdm.auto import tqdm

import lmtune
from lmtune import card, check, hint, passed
from lmtune.chapters.homework.reports import TELLING, Report, reports
from lmtune.data.batches import collate
from lmtune.notebook.claims import paired_interval

# %% [markdown]
# ## Your app
#
# The reports are made up from your id, in three parts: what may be labelled and trained on, what
# chooses (validation), and what is read at the end (test). Two sentences of a report tell its kind. How
# much chatter stands around them, and whether some reports of the test part were filed before, differs
# from student to student.

# %% tags=["nbval-ignore-output"]
mine, kinds = reports(STUDENT_ID), list(TELLING)
print(*map(len, mine), "reports to train on, to choose with, to test on; such as:")
for report in mine.train[:3]:
    print(f"  {report.kind:6} {report.text}")

# %% [markdown]
# ## Part 1. Reports that were filed before (10 points)
#
# {{exercise:homework/filed-before}}
#
# A test report that stands in the training part is no unseen text. Whoever files a report twice seldom
# types it letter for letter.
#
# `hint("homework/filed-before")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/filed-before}}


check("homework/filed-before", filed_before)

# %% [markdown]
# ## Part 2. New reports out of old ones (10 points)
#
# {{exercise:homework/recombined}}
#
# The draws come from outside, so the same draws always give the same reports.
#
# `hint("homework/recombined")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/recombined}}


check("homework/recombined", recombined)

# %% [markdown]
# ## Part 3. How strong? (10 points)
#
# {{exercise:homework/least-strength}}
#
# The best of several strengths is partly luck. If a weaker one, or none at all, is within the error of
# the measurement, the simpler choice is kept.
#
# `hint("homework/least-strength")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/least-strength}}


check("homework/least-strength", least_strength)

# %% [markdown]
# ## The experiment
#
# The experiment is not graded; the open question asks what you see. First, the test reports that were
# filed before are put aside.

# %% tags=["nbval-ignore-output"]
PARTS = ["homework/filed-before", "homework/recombined", "homework/least-strength"]
if passed(*PARTS):
    texts = [[report.text for report in part] for part in mine]
    before = set(filed_before(texts[0], texts[2], 0.9))
    unseen = [one for i, one in enumerate(mine.test) if i not in before]
    print(f"{len(before)} of {len(mine.test)} test reports were filed before")
    for i in sorted(before)[:1]:
        print(f"  such as: {mine.test[i].text}")

# %% [markdown]
# **One run** makes 36 updates of 8 reports. Its labelled reports are drawn by the seed. Each time the
# run comes round to them, they are recombined anew; with strength 0 they stay as they are. So both arms
# make the same number of updates. The head sees the mean over all tokens, for what tells the kind may
# stand anywhere in a report.

# %%
UPDATES, BATCH, tokenizer = 36, 8, lmtune.load("pocket-mini")[1]


def coded(some):
    classes = [kinds.index(report.kind) for report in some]
    return lmtune.labelled([report.text for report in some], classes, tokenizer, 64)


# %%
def rounds(labelled, strength, seed):
    """As many reports as one run reads, recombined anew in each round."""
    rng, made = random.Random(seed), []
    old, classes = [one.sentences for one in labelled], [one.kind for one in labelled]
    while len(made) < UPDATES * BATCH:
        draws = [[[rng.random(), rng.random()] for _ in one] for one in old]
        made += map(Report, recombined(old, classes, strength, draws), classes)
    return made


# %%
def trained(labels, strength, lr, seed):
    """A model trained on so many labelled reports; without a rate it is untrained."""
    base = lmtune.load("pocket-mini")[0]
    model = lmtune.classifier(base, len(kinds), seed=seed, pooling="mean")
    labelled = random.Random(seed).sample(mine.train, labels)
    rows = coded(rounds(labelled, strength, seed)) if lr else []
    if rows:
        lmtune.fit(model, rows, steps=UPDATES, lr=lr, seed=seed, progress=False)
    return model


# %%
@torch.no_grad()
def error(model, some):
    """The share of reports that the model sorts wrongly."""
    model.eval()
    batch = collate(coded(some), torch.device("cpu"))
    logits = model(batch["input_ids"], batch["attention_mask"])
    return (logits.argmax(1) != batch["labels"]).float().mean().item()


# %% [markdown]
# **A rate for each arm**, with 16 labels and with 64. The loss that chooses is the error on the
# validation reports, over three seeds that are used for nothing else. Each rate of the list is twice
# the one before, and the list grows until the best lies inside.

# %%
def validation_error(labels, strength, lr):
    seeds = (100, 101, 102)
    return [error(trained(labels, strength, lr, s), mine.validation) for s in seeds]


def errors_at_rates(labels, strength, best=2e-3):
    """The errors at each rate tried, and the best rate."""
    tried, middle = {}, None
    while best != middle:  # until both neighbours of the best were tried
        middle = best
        for lr in tqdm([middle / 2, middle, middle * 2], leave=False):
            tried[lr] = tried.get(lr) or validation_error(labels, strength, lr)
        best = min(tried, key=lambda lr: fmean(tried[lr]))
    return tried, best


# %% tags=["nbval-ignore-output"]
LABELS, rate, log = (16, 64), {}, {}
for labels in LABELS if passed(*PARTS) else ():
    for strength in (0, 0.5):
        tried, best = errors_at_rates(labels, strength)
        rate[labels, strength], log[labels, strength] = best, tried[best]
        told = "  ".join(f"{lr:g}: {fmean(tried[lr]):.3f}" for lr in sorted(tried))
        print(f"{labels} labels, strength {strength}: {best:g} is best; {told}")

# %% [markdown]
# **A strength.** Two more strengths get the rate of the augmented arm; your function chooses.

# %% tags=["nbval-ignore-output"]
chosen = {}
for labels in LABELS if log else ():
    for strength in tqdm((0.25, 1), leave=False):
        log[labels, strength] = validation_error(labels, strength, rate[labels, 0.5])
    runs = [[s, x] for (n, s), some in log.items() if n == labels for x in some]
    chosen[labels], allowed, best = least_strength(runs)
    print(f"{labels} labels: best strength {best}, error allowed {allowed:.3f}, "
          f"chosen strength {chosen[labels]}")

# %% [markdown]
# **Runs of each arm**, ten on other seeds, read on the unseen test reports; the seed also draws which
# reports were labelled. The augmented arm has the strength that was chosen, or, where none was, the best of
# the strengths above 0. The ± is the half-width of the 95 % interval over the seeds.

# %%
def shown(models, some):
    return f"{fmean(error(model, some) for model in models):.3f}"


def told(what, one, other):
    """Print the paired difference of the errors of two arms."""
    gain = paired_interval(one, other)
    print(f"{what}: {gain.difference:+.3f} ± {gain.half_width:.3f}")
    print("  resolved" if gain.high < 0 or gain.low > 0 else "  not resolved")


# %% tags=["nbval-ignore-output"]
found, ARMS, RUNS = {}, ("augmented", "plain"), 10
for labels in LABELS if chosen else ():
    above = min((0.25, 0.5, 1), key=lambda s: fmean(log[labels, s]))
    for arm, strength in {"plain": 0, "augmented": chosen[labels] or above}.items():
        lr = rate[labels, 0.5 if strength else 0]
        seeds = tqdm(range(RUNS), leave=False)
        models = [trained(labels, strength, lr, seed) for seed in seeds]
        found[labels, arm] = [error(model, unseen) for model in models]
        print(f"{labels} labels, strength {strength}: error", shown(models, unseen))
        if before:
            again = [mine.test[i] for i in before]
            print("  on the reports that were filed before:", shown(models, again))

# %% [markdown]
# **What it is worth**, beside two baselines: the most frequent kind of the training part, and the model
# before training. Where an interval holds 0, a difference is not shown; that does not mean that there
# is none.

# %% tags=["nbval-ignore-output"]
if found:
    usual = max(kinds, key=[one.kind for one in mine.train].count)
    print(f"always {usual!r}: error {fmean(one.kind != usual for one in unseen):.3f}")
    guesses = [error(trained(16, 0, None, seed), unseen) for seed in range(5)]
    print(f"before training: error {fmean(guesses):.3f}")
    for labels in LABELS:
        told(f"{labels} labels, augmented - plain", *[found[labels, a] for a in ARMS])
    told("64 labels minus 16, both plain", found[64, "plain"], found[16, "plain"])
else:
    print("Pass the three parts first: the experiment works with your functions.")

# %% [markdown]
# ## Open question (6 points)
#
# With few labels and with more, did augmentation lower the error in your runs, and is that more than the
# interval? Say what the reports that were filed before changed, why the training loss could not have
# answered, and one augmentation of these reports that would make a label false.
#
# How it is marked:
#
# - 2 points: gives both differences with their half-widths and the strengths that were chosen, and says
#   which is resolved
# - 2 points: says how many test reports were left out and, where there were any, what the error on them
#   was; and that training loss is measured on text that the model was fitted to
# - 2 points: gives an augmentation that changes what a report says, and why that harms its label
#
# Write your answer below, in ten sentences at most. Leave the words “Your answer” in place.

# %% [markdown]
# **Your answer:**

# %% [markdown]
# ## Before you hand in
#
# Save this notebook and let it be read as the grader will read it: in a terminal with
# `lmtune homework check augmentation.ipynb`, or here with `lmtune.check_notebook("augmentation.ipynb")`; the name is the one
# under which you saved it. It says which cells count, and whether each part passes on its own.

# %% [markdown]
# ## How far you have come

# %%
card("homework/augmentation")
