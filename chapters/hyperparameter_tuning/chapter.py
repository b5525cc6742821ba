# %% [markdown]
# # Hyperparameter tuning
#
# Training finds the weights. What it does not find, somebody has to choose beforehand: the learning
# rate and how it changes, the batch size, the warm-up, the weight decay. These are the
# *hyperparameters*. In this chapter you learn to choose the most important one in two minutes, to
# spend a budget of trials on the others, and to report what came of it without fooling yourself.
#
# You need the chapter *Your first fine-tune*. Where five seeds of dozens of settings are needed, the
# runs were made once, with a fixed design (the scripts are in
# `chapters/hyperparameter_tuning/studies/`), and recorded; the cells say
# which, and each time a part is run again here and compared.

# %%
import copy
import gc
import math

import numpy as np
import torch
from tqdm.auto import tqdm

import lmtune
from lmtune import Float, Integer, check, claim, explore, figure, show
from lmtune.notebook.claims import paired_interval
from lmtune.data.batches import collate, in_batches, order
from lmtune.diagnostics.range_test import RangeTest
from lmtune.optim.schedules import Cyclic, OneCycle
from lmtune.chapters import recorded
from lmtune.hpo.benchmark import Table

# %% [markdown]
# ## The same run, three times
#
# Here are three runs with the same model, the same documents in the same order, and forty updates
# each. One number differs. (Windows of 32 tokens keep the runs short; the recorded studies use the
# same.)

# %%
texts = lmtune.language_modelling("networkx")
_, tokenizer = lmtune.load("pocket-mini")
train = lmtune.windows(texts.train, tokenizer, context=32)
validation = lmtune.windows(texts.validation[::8], tokenizer, context=32)


def trained(steps=40, **settings):
    """A fresh pocket-mini after a run, and the history of the run."""
    model, _ = lmtune.load("pocket-mini")
    return model, lmtune.fit(model, train, steps=steps, progress=False, **settings)


def final_loss(data=validation, **settings):
    return lmtune.evaluate(trained(**settings)[0], data, progress=False).loss


# %% tags=["nbval-ignore-output", "slow"]
opening = {}
fig, axes = figure(height=3.2, columns=2)
for lr in (1e-5, 1e-3, 1e-1):
    model, history = trained(lr=lr)
    opening[lr] = lmtune.evaluate(model, validation, progress=False).loss
    for ax in axes:
        ax.plot(history.losses, label=f"learning rate {lr:g}")
axes[0].set(title="the whole", xlabel="updates", ylabel="training loss (nats per token)")
axes[0].legend()
axes[1].set(title="the lower part", xlabel="updates", ylim=(2.9, 4.6))
peak, height = max(history.losses), history.losses[-1]
show(fig, caption="One number differs.",
     alt="Two panels of the same three training-loss curves over forty updates. On the left the one "
         "with learning rate 0.1 shoots up within a few updates, far above the others, and then falls "
         "for thirty updates to about seven nats. On the right, enlarged, the curves of 1e-5 and 1e-3 "
         "scatter from batch to batch; the one of 1e-3 runs lower towards the end.")

# %% tags=["nbval-ignore-output", "slow"]
untouched = lmtune.evaluate(lmtune.load("pocket-mini")[0], validation, progress=False).loss
print(f"untouched: {untouched:.2f}")
for lr, loss in opening.items():
    print(f"learning rate {lr:<7g} validation loss {loss:.2f}")
claim("the run at rate 1e-3 lowers the validation loss more than five times as much as the run at 1e-5",
      untouched - opening[1e-3] > 5 * (untouched - opening[1e-5]))
claim("at rate 0.1 the model ends more than two nats worse than it began",
      opening[1e-1] > untouched + 2)
claim("at rate 0.1 the highest training loss is more than ten nats above the last one",
      peak > height + 10)

# %% [markdown]
# The first run wasted its budget and the third one destroyed the model. Nothing else in this chapter
# makes a difference of that size. So the question is: where between these rates should one be, how
# exactly must one hit it, and how does one find out?
#
# ## The learning rate decides
#
# An update moves the weights $\theta$ against the gradient $g$: $\theta \leftarrow \theta - \eta \, u(g)$,
# where $u$ is what the optimizer makes of the gradient and $\eta$ is the learning rate. If $\eta$ is
# too small, a given number of updates leads nowhere. If it is too large, a step lands beyond the valley
# it was to go down into. With a loss of curvature $c$ along some direction, plain gradient descent
# multiplies the distance from the minimum by $1 - \eta c$ at each step: it grows without bound when
# $\eta > 2/c$.
#
# (The curvature is the second derivative: how fast the slope changes as one walks.) Rates are compared
# by ratio, not by difference: from 0.0001 to 0.0002 is as large a change as from 0.1 to 0.2. So a sweep
# goes over *decades*, factors of ten. The recorded one has thirteen rates over five decades and
# five seeds, AdamW, falling in a straight line to zero.

# %%
study = recorded("hyperparameter_tuning/rates")
sweep = {float(rate): losses for rate, losses in study["results"]["sweep"].items()}
means = {rate: np.mean(losses) for rate, losses in sweep.items()}
best_rate = min(means, key=means.get)
print("recorded on", study["date"], "with torch", study["versions"]["torch"], "in",
      study["CPU seconds"], "CPU-seconds")
print(f"{'rate':>8}  {'mean loss':>9}  {'from':>6}  {'to':>6}")
for rate, losses in sweep.items():
    print(f"{rate:8.2g}  {means[rate]:9.3f}  {min(losses):6.3f}  {max(losses):6.3f}")

# %% tags=["slow"]
fig, ax = figure()
for rate, losses in sweep.items():
    ax.plot([rate] * 5, losses, "o", color="C0", markersize=4, alpha=0.6)
ax.plot(list(means), list(means.values()), color="C0", label="mean of five seeds")
ax.axhline(round(untouched, 2), color="#444444", linestyle="--", linewidth=1, label="untouched model")
ax.set(xscale="log", ylim=(3.2, 8), xlabel="learning rate", ylabel="validation loss (nats per token)")
ax.legend(loc="upper left")
show(fig, caption="Forty updates, thirteen rates, five seeds each; "
                  "some seeds at rate 0.32 and all at rate 1 lie above the picture.",
     alt="Validation loss against the learning rate on a logarithmic axis. A flat slope down from 1e-5 "
         "to a minimum at 1e-3, then a steep rise to about 6.9 at 0.03, little change at 0.1, and a "
         "second rise out of the picture. A dashed line marks the untouched model: the curve begins "
         "just below it, and crosses it between 0.003 and 0.006. The five seeds of a rate lie close "
         "together only below 0.01; at 0.32 they are more than a nat apart.")
assert max(sweep[0.0056]) - min(sweep[0.0056]) < 0.1 and means[0.0032] < untouched < means[0.0056]
claim("the rate 1e-3 ends at a lower loss than its neighbour 3.2e-4",
      better=sweep[1e-3], worse=sweep[3.2e-4])
claim("the rate 1e-3 ends at a lower loss than its neighbour 1.8e-3",
      better=sweep[1e-3], worse=sweep[1.8e-3])
claim("training at a tenth of the best rate ends more than a nat below training at ten times it",
      better=sweep[1e-4], worse=sweep[1e-2], margin=1)

# %% [markdown]
# The curve is a lopsided U. On the left it is a gentle slope: a rate ten times too small wastes some
# of the budget. On the right it is a wall: a rate ten times too large loses what pretraining knew.
# **When in doubt, go to the left.** And the five seeds of a rate hardly differ beside what the rate
# does.
#
# Is the record what this machine computes? The three runs above were seed 0 of three of these rates.
# (The last rate is beyond the wall, where rounding grows from update to update; there we ask for
# less.)

# %% tags=["nbval-ignore-output", "slow"]
for rate, loss in opening.items():
    print(f"rate {rate:g}: recorded {sweep[rate][0]:.3f}, here {loss:.3f}")
claim("live runs at 1e-5 and 1e-3 agree with the record within its spread, at 0.1 within half a nat",
      all(abs(opening[r] - sweep[r][0]) <= max(sweep[r]) - min(sweep[r]) for r in (1e-5, 1e-3))
      and abs(opening[1e-1] - sweep[1e-1][0]) < 0.5)

# %% [markdown]
# ### What divergence looks like
#
# Many readers wait for `nan`. It may never come. Adam divides by the size of the gradient, so its
# steps stay bounded, and clipping bounds what enters it; the weights walk away in finite steps.

# %%
never = [r for r, losses in sweep.items() if r >= 3.2e-2]
finite = all(math.isfinite(x) for r in never for x in sweep[r])
print("mean losses:", ", ".join(f"{means[r]:.1f} at {r:g}" for r in never))
print(f"every token alike: {math.log(4096):.1f}")
claim("of twenty runs at rates of 0.032 and more not one ended at a loss of infinity or nan", finite)
claim("every run at 0.032 and 0.1 ends between 6 and 7.5 nats",
      all(6 < x < 7.5 for r in (3.2e-2, 1e-1) for x in sweep[r]))

# %% [markdown]
# A model that knows how frequent tokens are and nothing else reaches a little over 6 nats (the first
# chapter computed that baseline). So these runs end no better than that. And look at the first picture
# again: the curve shoots up, then falls for thirty updates, and whoever joined late would say that it
# learns. It is a model that has forgotten. So compare with the loss *before* training, always.
#
# What this sweep cannot show: the best rate for another budget, another model or another optimizer.
# Every one of these moves it.

# %% [markdown]
# ## The range test
#
# Sixty-five runs are a high price for one number. In 2015 Leslie Smith proposed to pay one short run
# ([Smith 2017](https://arxiv.org/abs/1506.01186)): let the rate rise at every update, from far too
# small to far too large, and watch the loss. Where it begins to fall, learning begins; where it turns
# up, it ends. (His rate rises in a straight line; common since is a rise by equal ratios.) The rate of
# update $t$ of $T$ is $\eta_t = \eta_{\min} (\eta_{\max} /
# \eta_{\min})^{t/(T-1)}$, so that each decade gets as many updates. In a dozen lines:

# %%
def range_test_by_hand(model, train, low, high, steps, batch_size):
    model = copy.deepcopy(model).train()
    optimizer = torch.optim.AdamW(model.parameters(), betas=(0.9, 0.95), weight_decay=0)
    shuffled = [train[i] for i in order(len(train), seed=0, epoch=0)]
    rates, losses = [], []
    for step, rows in zip(range(steps), in_batches(shuffled, batch_size)):
        rates.append(low * (high / low) ** (step / (steps - 1)))
        for group in optimizer.param_groups:
            group["lr"] = rates[-1]
        total, count = lmtune.next_token_loss(model, collate(rows))
        optimizer.zero_grad()
        (total / count).backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        optimizer.step()
        losses.append((total / count).item())
    return rates, losses


double = lmtune.load("pocket-mini")[0].double()  # 64 bits, so that rounding cannot hide a difference
few = [row for row in train if len(row["input_ids"]) <= 24][:80]
rates, losses = range_test_by_hand(double, few, 1e-5, 1e-1, steps=16, batch_size=4)
test = lmtune.range_test(double, few, low=1e-5, high=1e-1, steps=16, batch_size=4)
n = len(test.losses)  # lmtune stops where the loss has run away
claim("a range test by hand has the rates and losses of lmtune.range_test", n > 10 and
      np.allclose(rates[:n], test.rates, rtol=1e-9) and np.allclose(losses[:n], test.losses, rtol=1e-7))

# %% [markdown]
# `lmtune.range_test` trains a copy, so the model, the random state and the order of the data stay as
# they were, and it stops early when the loss has run away. It also reads the curve, in three ways. All
# work on the losses smoothed with an exponential mean, because single batches are noisy:
#
# - **steepest**: where the loss falls fastest per decade;
# - **minimum over ten**: a tenth of the rate at which the loss is least;
# - **valley**: two thirds down the longest fall.

# %% tags=["nbval-ignore-output", "slow"]
start, _ = lmtune.load("pocket-mini")
test = lmtune.range_test(start, train, low=1e-5, high=1.0, steps=60, batch_size=8)
show(test.plot(), caption="A range test with batches of 8.",
     alt="Training loss against the learning rate of each update, from 1e-5 to 1. The raw losses "
         "scatter by half a nat; the smoothed curve falls a little up to about 3e-3 and then "
         "rises steeply. Of the three marks valley and minimum over ten stand close together, the "
         "steepest point elsewhere.")

# %% [markdown]
# Which reading can be trusted? The recorded study made this test under five seeds and then ran forty
# updates at each rate that was read.

# %%
tests = study["results"]["range tests"]
names = ["steepest", "minimum_over_ten", "valley"]
reached = {name: [t["reached"][name] for t in tests] for name in names}
print(f"best rate of the sweep, {best_rate:g}: mean loss {means[best_rate]:.3f}\n")
for name in names:
    read = "  ".join(f"{t['readings'][name]:7.1e}" for t in tests)
    print(f"{name:17} rates {read}   mean loss {np.mean(reached[name]):.3f}")
claim("forty updates at the valley of a range test reach a lower loss than at its steepest point",
      better=reached["valley"], worse=reached["steepest"])
claim("under each of five seeds the valley costs less than 0.1 nats beside the best rate",
      max(v - s for v, s in zip(reached["valley"], sweep[best_rate])) < 0.1)
claim("under each of five seeds the steepest point costs over 0.1 nats beside the best rate",
      min(v - s for v, s in zip(reached["steepest"], sweep[best_rate])) > 0.1)

# %% [markdown]
# At this smoothing the valley was usable under every seed, and the steepest point under none. Look at the
# picture for the reason: a pretrained model begins low, so the whole fall is about as large as the noise of one batch, and the
# steepest place of a noisy curve is noise. From random weights the loss falls by several nats and
# every reading is easy; fine-tuning is the harder case.
#
# What helps against noise? More tokens in each update. The same test with batches of 32 costs four
# times as much:

# %% tags=["nbval-ignore-output", "slow"]
wide = lmtune.range_test(start, train, low=1e-5, high=1.0, steps=60, batch_size=32)
show(wide.plot(), caption="The same test with batches of 32.",
     alt="The same axes; the curve is much smoother, with a clear fall from 1e-4 to about 4e-3 and "
         "a steep rise after it. The valley stands near 1e-3.")
print(f"valley: {wide.valley():.1e} with batches of 32, {test.valley():.1e} with batches of 8")
claim("a range test with batches of 32 has its valley within a factor of two of the sweep's best rate",
      0.5 < wide.valley() / best_rate < 2)

# %% [markdown]
# One test of one seed, so take it as an example, not as a law. And even a good reading is for *this*
# batch size and schedule: a range test finds the order of magnitude, in the time of one or two runs.
# That is what it is for.
#
# ### Explore: how much smoothing?
#
# The five recorded tests, smoothed more and less.

# %% tags=["nbval-ignore-output"]
def smoothed_test(smoothing, seed):
    test = RangeTest(tests[seed]["rates"], tests[seed]["losses"], smoothing)
    said = (f"smoothing {smoothing}, seed {seed}: valley {test.valley():.1e}, "
            f"steepest {test.steepest():.1e}")
    fig = test.plot()
    fig.axes[0].set_title(said)
    return fig, said


smoothings = [0.0, 0.5, 0.8, 0.9, 0.95]
explore(smoothed_test,
        goal="find a smoothing with which valley and steepest agree for every seed; is there one?",
        smoothing=(smoothings, 0.8), seed=[0, 1, 2, 3, 4])
low = {s: min(RangeTest(t["rates"], t["losses"], s).valley() for t in tests) for s in smoothings}
apart = {s: sum(max(t.valley(), t.steepest()) > 3 * min(t.valley(), t.steepest())
                for t in (RangeTest(x["rates"], x["losses"], s) for x in tests))
         for s in smoothings}
assert all(n > 0 for n in apart.values()), apart

# %%
print("seeds of five in which valley and steepest differ by more than a factor of three:")
print("  ".join(f"smoothing {s}: {n}" for s, n in apart.items()))
print("the lowest valley of the five seeds, by smoothing:")
print("  ".join(f"{s}: {rate:.1e}" for s, rate in low.items()))
claim("at every smoothing tried but 0.8 some seed's valley is below a third of the sweep's best rate",
      all(rate < best_rate / 3 for s, rate in low.items() if s != 0.8))

# %% [markdown]
# So the valley of one noisy test is no safe reading either. Look at the curve, at more than one
# smoothing, before you believe a mark on it.

# %% [markdown]
# ## Rates that go up and down
#
# If one does not know the right rate, why not pass through many? *Cyclical* rates ([Smith
# 2017](https://arxiv.org/abs/1506.01186)) swing between $\eta_{\min}$ and $\eta_{\max}$ in straight
# lines. With $h$ updates from a trough to the next peak, the *half cycle*, update $t$ stands in cycle
# number
#
# $$c = \left\lfloor 1 + \frac{t}{2h} \right\rfloor, \qquad
# \eta_t = \eta_{\min} + (\eta_{\max} - \eta_{\min}) \cdot
# \max\left(0,\, 1 - \left| \frac{t}{h} - 2c + 1 \right|\right) \cdot s.$$
#
# The factor $s$ makes the three modes: 1 for *triangular*; $1/2^{c-1}$ for *triangular2*, which halves
# the height with each cycle; $\gamma^t$ for *exp_range*, which shrinks it at every update. As a
# function, beside torch's scheduler, which carries a state and changes the optimizer:

# %%
def cyclical(t, h, low, high, mode="triangular", gamma=0.95):
    c = math.floor(1 + t / (2 * h))
    s = {"triangular": 1, "triangular2": 1 / 2 ** (c - 1), "exp_range": gamma**t}[mode]
    return low + (high - low) * max(0, 1 - abs(t / h - 2 * c + 1)) * s


def optimizer_with(kind, lr=1.0):
    weights = [torch.nn.Parameter(torch.zeros(3))]
    return (torch.optim.SGD(weights, lr, momentum=0.9) if kind == "sgd"
            else torch.optim.AdamW(weights, lr, betas=(0.95, 0.99)))


def rates_of(optimizer, scheduler, steps):
    rates = []
    for _ in range(steps):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return rates


# %%
modes = ["triangular", "triangular2", "exp_range"]
for mode in modes:
    ours = [cyclical(t, 8, 0.1, 1.0, mode) for t in range(60)]
    named = Cyclic(half_cycle=8, floor=0.1, mode=mode, gamma=0.95)
    equal = np.allclose(ours, [named(t, 60) for t in range(60)], rtol=1e-12)
    for kind in ("sgd", "adamw"):
        optimizer = optimizer_with(kind)
        torchs = torch.optim.lr_scheduler.CyclicLR(optimizer, 0.1, 1.0, 8, mode=mode, gamma=0.95,
                                                   cycle_momentum=False)
        equal &= np.allclose(ours, rates_of(optimizer, torchs, 60), rtol=1e-9)
    claim(f"{mode} rates by hand equal lmtune's Cyclic and torch's CyclicLR, with SGD and AdamW",
          equal)

# %% [markdown]
# **One-cycle** ([Smith and Topin 2019](https://arxiv.org/abs/1708.07120)) is a single swing: up to the
# peak in the first third of the run, then down to almost nothing.

# %%
optimizer = optimizer_with("sgd")
torchs = torch.optim.lr_scheduler.OneCycleLR(optimizer, max_lr=1.0, total_steps=48,
                                             cycle_momentum=False)
ours = [OneCycle()(t, 48) for t in range(48)]
claim("lmtune's OneCycle equals torch's OneCycleLR over 48 updates",
      np.allclose(ours, rates_of(optimizer, torchs, 48), rtol=1e-6, atol=1e-9))

# %% [markdown]
# ### Explore: a cyclical schedule
#
# Forty-eight updates, a peak of 1 and troughs of 0.1. (From a half cycle of 24 on, *triangular* and
# *triangular2* look alike: neither gets to a second cycle.)

# %% tags=["nbval-ignore-output"]
def swing(mode, half_cycle):
    rates = [cyclical(t, half_cycle, 0.1, 1.0, mode) for t in range(48)]
    fig, ax = figure(height=2.6)
    ax.plot(rates)
    ax.set(xlabel="updates", ylabel="factor of the peak rate", ylim=(0, 1.05),
           title=f"the last update at {rates[-1]:.2f} of the peak rate")
    return fig, (f"{mode}, half cycle {half_cycle}: {rates.count(max(rates))} updates at the "
                 f"highest rate, the last update at {rates[-1]:.2f}")


explore(swing, goal="find the half cycles with which the triangular run ends at 0.3 or less",
        mode=modes, half_cycle=([4, 6, 8, 12, 24, 40], 8))
ends = {h: cyclical(47, h, 0.1, 1.0) for h in (4, 6, 8, 12, 24, 40)}
assert [h for h, end in ends.items() if end < 0.3] == [6, 8, 12, 24]

# %%
print("last rate by half cycle:", "  ".join(f"{h}: {end:.2f}" for h, end in ends.items()))

# %% [markdown]
# ### Which schedule wins here?
#
# The recorded study gave every schedule 48 updates, with AdamW and with SGD and momentum. Each got
# three peak rates to choose from under a seed of its own, then ran with five others.

# %%
schedules = recorded("hyperparameter_tuning/schedules")["results"]
for optimizer, by_name in schedules.items():
    print(optimizer)
    for name, found in by_name.items():
        difference = paired_interval(found["losses"], by_name["cosine"]["losses"])
        beside = "" if name == "cosine" else (f"  beside cosine {difference.difference:+.3f} "
                                              f"± {difference.half_width:.3f}")
        print(f"  {name:12} peak {found['rate']:<6g} mean loss {np.mean(found['losses']):.3f}{beside}")

# %%
fig, axes = figure(height=3.2, columns=2)
for ax, (optimizer, by_name) in zip(axes, schedules.items()):
    for row, (name, found) in enumerate(by_name.items()):
        ax.plot(found["losses"], [row] * 5, "o", color="C0", markersize=5)
    ax.set_yticks(range(len(by_name)), list(by_name))
    ax.set(title=optimizer, xlabel="validation loss (nats per token)")
axes[1].set_yticks(range(6), [""] * 6)
show(fig, caption="Six schedules at the same budget, five seeds each.",
     alt="Two panels of six rows with five points each. With AdamW the constant rate stands "
         "furthest left, cosine furthest right, the cyclical ones between. With SGD the order "
         "is another, and triangular stands furthest right.")
adamw, momentum = schedules["adamw"], schedules["sgd"]
claim("with AdamW a constant rate ends at a lower loss than cosine",
      better=adamw["constant"]["losses"], worse=adamw["cosine"]["losses"])
claim("with AdamW triangular ends at a lower loss than cosine",
      better=adamw["triangular"]["losses"], worse=adamw["cosine"]["losses"])
between = paired_interval(adamw["constant"]["losses"], adamw["exp_range"]["losses"])
claim("with AdamW the losses of constant and exp_range are not told apart: the interval holds zero",
      between.low < 0 < between.high)
claim("with AdamW a constant rate ends at a lower loss than triangular",
      better=adamw["constant"]["losses"], worse=adamw["triangular"]["losses"])
claim("with SGD and momentum cosine ends at a lower loss than triangular",
      better=momentum["cosine"]["losses"], worse=momentum["triangular"]["losses"])

# %% [markdown]
# This is not what the literature leads one to expect, so read it slowly. With AdamW the plainest schedule
# has the lowest mean: a *constant* rate, if not beyond doubt against exp_range. In 48 updates of a
# fine-tune the model is far from any minimum, and cosine and one-cycle spend a part of so short a budget
# at rates too small to matter. With SGD the constant rate does not differ from cosine by more than the
# interval, and the triangle is the worst of all: each of its peaks shakes the weights as much as the
# first, and the last one comes eight updates before the end. Its two variants, whose peaks shrink, do not
# differ from cosine by more than their intervals.
#
# So no schedule is good in itself; what matters is how much of the budget is spent at useful rates.
# What this cannot show: a long run, where a decay at the end is said to pay (the chapter on optimization
# compares eight schedules on rows twice as long, in a run as short, and finds the constant rate ahead of
# the cosine too). And the constant rate and exp_range each chose an edge of the
# three peaks they were offered, the smallest and the largest, by one seed: more peaks could change the gap
# either way. Two of the recorded runs, made again:

# %% tags=["nbval-ignore-output", "slow"]
for name, schedule in (("constant", "constant"), ("triangular", Cyclic(8))):
    known = adamw[name]["losses"]
    here = final_loss(steps=48, lr=adamw[name]["rate"], schedule=schedule, seed=0)
    print(f"{name}: recorded {known[0]:.3f}, here {here:.3f}")
    claim(f"a live run of {name} rates agrees with the record within the spread of five seeds",
          abs(here - known[0]) <= max(known) - min(known))

# %% [markdown]
# ## Batch size and rate together
#
# A larger batch averages more gradients: less noise in each update, and fewer updates for the same
# text. How should the rate follow? Suppose $k$ updates with batch $B$ are replaced by one with batch
# $kB$. If the weights hardly move meanwhile, the $k$ gradients are those of the large batch in pieces,
# and one step of $k \eta$ does what $k$ steps of $\eta$ did. That is the *linear rule* ([Goyal et al.
# 2017](https://arxiv.org/abs/1706.02677)), stated for SGD. Adam divides by the size of the gradient,
# and a gradient made of noise shrinks only with $\sqrt{k}$; hence a *square-root rule* for it
# ([Malladi et al. 2022](https://arxiv.org/abs/2205.10287), whose rule changes $\beta_1$, $\beta_2$ and
# $\epsilon$ as well; here only the rate changes).
#
# The comparison must be at **equal tokens**: 256 windows, in 64 updates of 4, 16 of 16 or 4 of 64. The
# best rate of batch 4 was found with a seed of its own, then kept, multiplied by the ratio's root,
# multiplied by the ratio, or tuned anew.

# %%
batches = recorded("hyperparameter_tuning/batches")["results"]
rules = ["kept", "root", "linear", "tuned"]


def numbers(losses):
    return [math.inf if x == "diverged" else x for x in losses]


for optimizer, by_batch in batches.items():
    print(f"{optimizer:10}", *(f"{rule + ' (rate)':>17}" for rule in rules))
    for batch, found in by_batch.items():
        reached = {rule: np.mean(numbers(found["losses"][rule])) for rule in rules}
        row = (f"{reached[rule]:7.3f} ({found['rates'][rule]:7.2g})" for rule in rules)
        print(f"  batch {batch:>2}", *row)

# %%
plain = {batch: found["losses"] for batch, found in batches["sgd"].items()}
adaptive = {batch: found["losses"] for batch, found in batches["adamw"].items()}
scan = {float(rate): loss for rate, loss in batches["sgd"]["64"]["scan"].items()}
linear = batches["sgd"]["64"]["rates"]["linear"]
claim("with SGD and four times the batch the linear rule has a lower loss than the square-root rule",
      better=plain["16"]["linear"], worse=plain["16"]["root"])
claim("with SGD and 16 times the batch the linear rule names the best rate of the scan",
      min(scan, key=scan.get) == linear)
claim("with SGD and 16 times the batch twice the linear rule's rate costs more than a nat beside it",
      scan[2 * linear] > scan[linear] + 1)
print("SGD, batch 64, linear rule, each seed:", "  ".join(f"{x:.3f}" for x in plain["64"]["linear"]))
gap = paired_interval(adaptive["64"]["root"], adaptive["64"]["kept"])
claim("with AdamW and 16 times the batch, square-root rule and kept rate are not told apart",
      gap.low < 0 < gap.high)
claim("with AdamW and four times the batch the square-root rule has a lower loss than the linear rule",
      better=adaptive["16"]["root"], worse=adaptive["16"]["linear"])
claim("with AdamW and 16 times the batch the square-root rule ends over two nats below the linear rule",
      better=adaptive["64"]["root"], worse=adaptive["64"]["linear"], margin=2)
for optimizer, by_rule in (("SGD", plain), ("AdamW", adaptive)):
    claim(f"with {optimizer} at equal tokens batch 4 has a lower loss than 64, each at its tuned rate",
          better=by_rule["4"]["tuned"], worse=by_rule["64"]["tuned"])

# %% [markdown]
# For SGD the linear rule holds over the whole factor of 16, and arrives at the wall: at batch 64 one of
# five seeds ends 0.1 nats above the others, and twice the rate is lost. There it stops, for the weights
# no longer "hardly move" in a step. For AdamW it fails from the first step: the root is right at batch 16,
# and at batch 64 the linear rule wrecks the model, while the root is one step of the scan above the tuned
# rate and no better than the rate that was kept.
#
# And at equal tokens a larger batch gained nothing: it made fewer updates. What a large batch buys is
# time, on hardware that computes 64 rows as fast as 4. (Four updates are few; a longer run would say
# more about batch 64.)

# %% tags=["nbval-ignore-output", "slow"]
found = batches["adamw"]["16"]
here = final_loss(steps=16, batch_size=16, lr=found["rates"]["root"], seed=0)
known = found["losses"]["root"]
print(f"AdamW, batch 16, root rule, seed 0: recorded {known[0]:.3f}, here {here:.3f}")
claim("a live run of AdamW with batch 16 agrees with the record within the spread of five seeds",
      abs(here - known[0]) <= max(known) - min(known))

# %% [markdown]
# ## Grid, random, and search that learns
#
# Now several settings at once. To compare ways of *searching*, one search is not enough: each depends
# on luck, so dozens are needed of each, thousands of runs. A **tabular benchmark** ([Klein and Hutter
# 2019](https://arxiv.org/abs/1905.04970)) makes that affordable: every combination is trained once and
# its losses are written down; searches then look them up. Ours has 25 rates × 3 warm-ups × 3 weight
# decays, 32 updates each, one seed, with the validation loss after 4, 8, 16 and 32 updates. Between
# two rates `Table` joins the losses by a straight line. What the table cannot show is noise: the same
# settings always give the same loss. (That comes in the part on hygiene.)

# %%
record = recorded("hyperparameter_tuning/table")
table = Table.of(record)
final = table.losses[..., -1]
print(f"{final.size} runs, {record['CPU seconds']} CPU-seconds; best loss {final.min():.3f}")
share = {name: np.minimum(final, 5).mean(axis=others).var() / np.minimum(final, 5).var()
         for name, others in (("lr", (1, 2)), ("warmup", (0, 2)), ("weight_decay", (0, 1)))}
for name, value in share.items():
    print(f"{name:13} explains {100 * value:5.1f} % of the variance (losses above 5 counted as 5)")
claim("the rate explains over nine tenths of the variance of losses, those above 5 counted as 5",
      share["lr"] > 0.9)
claim("weight decay explains under a thousandth of the variance of losses, those above 5 counted as 5",
      share["weight_decay"] < 1e-3)
good = final[(table.rates > 0.0005) & (table.rates < 0.0025)]
by_warmup = good.mean(axis=(0, 2))
print("rates from 0.0007 to 0.0022, mean loss with a warm-up of 0, 4 and 12 updates:",
      "  ".join(f"{x:.3f}" for x in by_warmup))
print(f"there warm-up explains {100 * by_warmup.var() / good.var():.0f} % of the variance")
claim("at good rates the best of three warm-ups is on average over 0.03 nats better than the worst",
      by_warmup.max() - by_warmup.min() > 0.03)

# %% [markdown]
# One axis matters, one a little, one not at all. (Much of the rate's share comes from hopeless rates. Among
# the good ones warm-up is what is left to gain.) That is the usual case ([Bergstra and Bengio
# 2012](https://jmlr.org/papers/v13/bergstra12a.html)), and nobody knows beforehand which axis it will
# be. Here is what nine trials cover:

# %%
axis = np.logspace(-5, -1, 200)
curve = [table.curve({"lr": lr})[-1] for lr in axis]
cells = (np.arange(3) + 0.5) / 3
rng = np.random.default_rng(1)
points = {"grid": np.array([(x, y) for x in cells for y in cells]), "random": rng.random((9, 2))}
fig, axes = figure(height=3.4, columns=2)
for ax, (name, at) in zip(axes, points.items()):
    ax.plot(axis, curve, color="C0")
    ax.plot(10 ** (-5 + 4 * at[:, 0]), 3.4 + 4 * at[:, 1], "o", color="C1")
    for x in set(at[:, 0].round(9)):
        ax.axvline(10 ** (-5 + 4 * x), color="#888888", linewidth=0.8, linestyle=":")
    ax.set(xscale="log", title=f"{name}: {len(set(at[:, 0].round(9)))} different rates",
           xlabel="learning rate", ylim=(3.4, 7.4))
axes[0].set_ylabel("loss; height of a point: weight decay")
show(fig, caption="Nine trials each. The line is the loss; dotted lines say which rates were tried.",
     alt="Two panels with the loss curve over the learning rate. The grid's nine points stand above "
         "three rates only, the middle one near the minimum. The nine random points stand above nine "
         "different rates, two of them near the minimum.")

# %% [markdown]
# The grid spends nine runs on three rates. Random search tries nine. The picture is an argument; here
# is the measurement: thirty grids, each shifted by chance (where its points fall is its maker's
# choice, and luck), against thirty random searches of as many trials. With three settings a grid of
# two values each has 8 trials, of three 27, of four 64.

# %%
searches = recorded("hyperparameter_tuning/searches")["results"]


def best_after(trace, updates):
    """The best loss that a recorded search had found after so many updates."""
    return min([b for u, b in zip(trace["updates"], trace["best"]) if u <= updates], default=math.inf)


for trials, grids in searches["grids"].items():
    drawn = [best_after(trace, 32 * int(trials)) for trace in searches["ways"]["random"]]
    claim(f"random search with {trials} trials finds a lower loss than a grid of {trials}",
          better=drawn, worse=grids)

# %% [markdown]
# ### The same through lmtune
#
# `lmtune.search` is thin over [Optuna](https://optuna.org) (Akiba et al. 2019): it draws settings,
# calls an *objective* of settings and `report`, and keeps the record. With `sampler="grid"` it walks
# lists, with `"random"` it draws. From scratch a grid search is one `min`, and the two agree:

# %%
gc.freeze()  # each trial ends with a collection; let it pass over what the imports made
space = {"lr": Float(1e-5, 1e-1, log=True), "warmup": Integer(0, 12),
         "weight_decay": Float(0.001, 1, log=True)}

grid = {"lr": [1e-4, 1e-3, 1e-2], "warmup": [0, 12]}
by_hand = min((table.curve({"lr": lr, "warmup": w})[-1], lr, w)
              for lr in grid["lr"] for w in grid["warmup"])
found = lmtune.search(table.objective, grid, sampler="grid", progress=False)
claim("a grid search by hand and lmtune.search find the same settings and the same loss",
      (found.value, found.settings["lr"], found.settings["warmup"]) == by_hand)
print(found.table()[["lr", "warmup", "state", "value"]].to_string(float_format="{:.4g}".format))

# %% [markdown]
# Bad input is refused before anything is trained, and what goes wrong in a trial ends that trial, not
# the search:

# %%
def refused(attempt):
    try:
        attempt()
    except (ValueError, RuntimeError) as error:
        print(f"{type(error).__name__}: {error}\n")


refused(lambda: Float(1e-1, 1e-5, log=True))
refused(lambda: lmtune.search(table.objective, {"lr": []}, sampler="grid"))
refused(lambda: lmtune.search(table.objective, space, sampler="bayes"))


def sometimes_nan(settings, report):
    if settings["lr"] == 1e-2:
        return float("nan")
    return table.curve(settings)[-1] if settings["lr"] < 0.05 else 1 / 0


mixed = lmtune.search(sometimes_nan, {"lr": [1e-3, 1e-2, 1e-1]}, sampler="grid", progress=False)
print(mixed.table()[["lr", "state", "error"]].to_string(float_format="{:.4g}".format))
claim("a search survives the failure of two trials of three and names the one good rate",
      mixed.settings == {"lr": 1e-3})

# %% [markdown]
# ### Explore: grid against random as the budget grows
#
# Two axes, rate and weight decay; the grid's points stand in the middle of its cells.

# %% tags=["nbval-ignore-output"]
def cover(trials, way):
    side = math.isqrt(trials)
    cells = (np.arange(side) + 0.5) / side
    at = (np.array([(x, y) for x in cells for y in cells]) if way == "grid"
          else np.random.default_rng(4).random((36, 2))[:trials])
    lr, decay = 10 ** (-5 + 4 * at[:, 0]), 10 ** (-3 + 3 * at[:, 1])
    losses = [table.curve({"lr": x, "weight_decay": y})[-1] for x, y in zip(lr, decay)]
    fig, ax = figure(height=2.9)
    ax.scatter(lr, decay, c=losses, cmap="viridis", vmin=3.6, vmax=6)
    ax.set(xscale="log", yscale="log", xlim=(8e-6, 0.12), ylim=(8e-4, 1.2), xlabel="learning rate",
           ylabel="weight decay", title=f"best of {trials}: {min(losses):.3f}")
    return fig, (f"{way} with {trials} trials: {len(set(lr.round(9)))} different rates, "
                 f"best loss {min(losses):.3f}")


explore(cover, goal="find a budget at which the grid is luckier than this random search, and say why",
        trials=([4, 9, 16, 25, 36], 9), way=["grid", "random"])
best = np.log10(axis[int(np.argmin(curve))])
nearest = {n * n: min(abs(-5 + 4 * (np.arange(n) + 0.5) / n - best)) for n in (2, 3, 4, 5, 6)}
assert nearest[9] < nearest[16]

# %%
print("decades between the table's best rate and the nearest of the grid's:")
print("  ".join(f"{n} trials: {distance:.2f}" for n, distance in nearest.items()))

# %% [markdown]
# A larger grid may stand further from the minimum than a smaller one: with sixteen trials it does. A
# larger random search contains the smaller one and can only get better.
#
# ### TPE: search that learns
#
# Random search forgets what it has seen. The *tree-structured Parzen estimator* ([Bergstra et al.
# 2011](https://papers.nips.cc/paper/4443-algorithms-for-hyper-parameter-optimization)) splits the
# trials so far into the good ones and the rest, estimates the density of each, $\ell(x)$ and $g(x)$,
# and tries next where $\ell(x) / g(x)$ is largest. Optuna's begins with ten random trials.
#
# **Pruning** saves on the other side: it ends a trial that looks hopeless. The *median* rule ends it
# when its loss is above the median of earlier trials at the same update; *successive halving* ([Li et
# al. 2020](https://arxiv.org/abs/1810.05934)) lets only the best quarter go on at each rung.
#
# What counts is the cost, in updates, to reach the same loss. The target must be fixed first, and the
# harder it is the more there is to save, so here are three: the loss that half of the random searches
# reach after 16, 32 and 64 full trials.

# %%
ways = searches["ways"]
targets = {trials: np.median([best_after(t, 32 * trials) for t in ways["random"]])
           for trials in (16, 32, 64)}


def cost(trace, target, budget=64 * 32):
    """Updates until the target was reached; the whole budget where it was not."""
    return next((u for u, b in zip(trace["updates"], trace["best"]) if b <= target + 1e-9), budget)


costs = {way: {n: [cost(t, target) for t in traces] for n, target in targets.items()}
         for way, traces in ways.items()}
print("median updates to reach   " + "  ".join(f"{target:.3f}" for target in targets.values()))
for way, by_target in costs.items():
    print(f"  {way:22}" + "  ".join(f"{np.median(c):6.0f}" for c in by_target.values()))
print("searches of thirty that reached it")
for way, by_target in costs.items():
    print(f"  {way:22}" + "  ".join(f"{sum(x < 64 * 32 for x in c):6}" for c in by_target.values()))
print("mean, as a share of random search's (a target that was not reached counts as 2048)")
for way, by_target in costs.items():
    print(f"  {way:22}" + "  ".join(f"{np.mean(c) / np.mean(costs['random'][n]):6.2f}"
                                    for n, c in by_target.items()))

# %%
whole = {way: [best_after(t, 64 * 32) for t in traces] for way, traces in ways.items()}
claim("with the updates of 64 full trials TPE finds a lower loss than random search",
      better=whole["tpe"], worse=whole["random"])
claim("random search reaches the easiest target loss in fewer updates with halving than without",
      better=costs["random, halving"][16], worse=costs["random"][16], unit="updates")
claim("with the updates of 64 full trials TPE finds a lower loss without halving than with it",
      better=whole["tpe"], worse=whole["tpe, halving"])
claim("no way of searching reaches any of three target losses at a third of random search's cost",
      all(np.mean(c[n]) > np.mean(costs["random"][n]) / 3 for c in costs.values() for n in targets))

# %% [markdown]
# We had hoped for a third of the cost; it is not here. (Where a target was not reached the true cost is
# higher than the 2048 that count, so the ratios at the hard targets are nearer to one than they should
# be, and TPE, which reaches the hardest target nearly twice as often, is better than its ratio.) TPE has little
# to learn from when one axis decides and random search covers that axis well; it pulls ahead only late,
# when it samples near the minimum again and again. Halving with random search saves at the easy target
# and costs at the harder ones. And halving *hurts* TPE. Why? Look at what a pruner sees:

# %%
from scipy.stats import spearmanr

seen = table.losses.reshape(-1, len(table.looks))
good = seen[seen[:, -1] <= np.quantile(seen[:, -1], 0.25)]
print("rank correlation (1: the same order, 0: none) with the loss after 32 updates:")
for k, look in enumerate(table.looks[:-1]):
    print(f"  after {look:>2} updates: all settings {spearmanr(seen[:, k], seen[:, -1])[0]:+.2f}, "
          f"the best quarter {spearmanr(good[:, k], good[:, -1])[0]:+.2f}")
by_rate = table.losses[:, 0, 1]
print("best rate after so many updates:", "  ".join(
    f"{look}: {table.rates[by_rate[:, k].argmin()]:.1e}" for k, look in enumerate(table.looks)))
claim("in the best quarter of settings ranks after 8 and 32 updates correlate by less than 0.2",
      spearmanr(good[:, 1], good[:, -1])[0] < 0.2)

# %% [markdown]
# Early losses tell good settings from hopeless ones, and that is all: among the good ones they favour
# rates that are too small, since a larger rate first shakes the weights and pays only when it has come
# down. A pruner assumes that early losses rank as final ones do. Where it throws out settings that
# would have ended well, TPE takes them for bad and looks elsewhere. In long runs, where a look comes
# after hundreds of updates, the assumption is better founded and the savings can be large; this table
# cannot show those. Before you prune, plot a few whole runs and see whether they cross.
#
# The recorded searches, made again in part:

# %% tags=["nbval-ignore-output"]
def best_of(sampler, seed):
    return lmtune.search(table.objective, space, 24, sampler=sampler, seed=seed, progress=False).value


for way in ("random", "tpe"):
    recorded_best = [best_after(t, 24 * 32) for t in ways[way]]
    here = [best_of(way, seed) for seed in range(3)]
    print(way, "recorded", [f"{b:.3f}" for b in recorded_best[:3]], "here", [f"{b:.3f}" for b in here])
    claim(f"live searches with the sampler {way} end within the range of the thirty recorded ones",
          min(recorded_best) - 1e-3 <= min(here) and max(here) <= max(recorded_best) + 1e-3)

# %% [markdown]
# And a search that really trains: `run` yields events, the objective reports, and the pruner ends what
# looks hopeless. (Optuna's median rule first waits for five whole trials; among these eight it ended
# none.)

# %% tags=["nbval-ignore-output", "slow"]
def objective(settings, report):
    model, _ = lmtune.load("pocket-mini")
    config = lmtune.Config(steps=24, evaluate_every=8, **settings)
    for event in lmtune.run(model, train, config, validation[:48]):
        if hasattr(event, "result"):
            report(event.step, event.result.loss)
    return event.result.loss


real = lmtune.search(objective, {"lr": Float(1e-5, 1e-1, log=True), "schedule": ["linear", "constant"]},
                     trials=8, sampler="random", pruner="median", progress=False, seed=3)
columns = ["lr", "schedule", "state", "step", "value"]
print(real.table()[columns].to_string(float_format="{:.4g}".format))
claim("in a search that really trains, the best of eight trials has a rate below 0.006",
      real.settings["lr"] < 6e-3)
claim("in a search that really trains, the median rule ends none of eight trials",
      set(real.table()["state"]) == {"complete"})

# %% [markdown]
# ## Hygiene
#
# ### The best of many is lucky
#
# A search reports the *least* of many noisy numbers. If each trial's loss is its true value plus noise
# of standard deviation $\sigma$ (the usual distance from the mean), the least of $n$ equally good trials lies below the truth by about
# $\sigma \sqrt{2 \ln n}$ (an upper bound for normal noise). So the winner's score is too good, and the
# more trials, the more so.
#
# The recorded study made six searches of twelve trials among settings that are all good (rates from
# 0.0007 to 0.0014, a short warm-up), each trial with a seed of its own, then ran each winner again
# under five fresh seeds.

# %%
luck = recorded("hyperparameter_tuning/luck")["results"]["searches"]
reported = [min(s["losses"]) for s in luck]
fresh = [float(np.mean(s["fresh"])) for s in luck]
for s, r, f in zip(luck, reported, fresh):
    print(f"reported {r:.3f}, on fresh seeds {f:.3f}, mean of the twelve trials "
          f"{np.mean(s['losses']):.3f}")
claim("the reported best is lower than the mean loss of the same settings on fresh seeds",
      better=reported, worse=fresh)
gain = [float(np.mean(s["losses"])) - r for s, r in zip(luck, reported)]
kept = [float(np.mean(s["losses"])) - f for s, f in zip(luck, fresh)]
print(f"apparent gain over the mean trial {np.mean(gain):.3f}, of which on fresh seeds "
      f"{np.mean(kept):.3f} are left")
sigma = np.mean([np.std(s["fresh"], ddof=1) for s in luck])
print(f"standard deviation over seeds {sigma:.3f}, times sqrt(2 ln 12): "
      f"{sigma * math.sqrt(2 * math.log(12)):.3f}, times 1.63: {1.63 * sigma:.3f}")
left = paired_interval(fresh, [float(np.mean(s["losses"])) for s in luck])
claim("on fresh seeds the winners show no gain over the mean trial: the interval holds zero",
      left.low < 0 < left.high)

# %% tags=["nbval-ignore-output", "slow"]
winner = {k: v for k, v in luck[0]["winner"].items() if k != "seed"}
again = [final_loss(validation[:64], steps=32, seed=seed, **winner) for seed in (5000, 5001)]
print("recorded", luck[0]["fresh"][:2], "here", [round(x, 4) for x in again])
known = luck[0]["fresh"]
claim("two live runs of a winner on fresh seeds agree with the recorded ones within their spread",
      max(abs(a - b) for a, b in zip(again, known)) <= max(known) - min(known))

# %% [markdown]
# The whole lead of the winners was luck, and lies below the formula's bound. (For twelve normal numbers
# the least lies $1.63\,\sigma$ below their mean on average, which is nearer still. Each search
# chose among settings of nearly the same worth; where the settings differ by more than the noise, as
# in the sweep over five decades, a winner is a winner.) So: after a search, run the winner again, on
# seeds that the search has not seen, and report *that*.
#
# ### The test split, once
#
# The validation documents have now been looked at thousands of times. The test documents have not. The
# question for them is fixed before: does the rate that this chapter chose, 1e-3, beat the one that
# many scripts have as their default, 5e-5, on five fresh seeds?

# %% tags=["nbval-ignore-output", "slow"]
held_out = lmtune.windows(texts.test[::8], tokenizer, context=32)
on_test = {lr: [final_loss(held_out, lr=lr, seed=seed) for seed in range(10, 15)]
           for lr in (1e-3, 5e-5)}
print(f"untouched {lmtune.evaluate(start, held_out, progress=False).loss:.3f}")
for lr, losses in on_test.items():
    print(f"rate {lr:g}: " + "  ".join(f"{x:.3f}" for x in losses))
claim("on the test documents the rate 1e-3 ends more than 0.1 nats below the rate 5e-5",
      better=on_test[1e-3], worse=on_test[5e-5], margin=0.1)

# %% [markdown]
# ### Which hyperparameters mattered?
#
# Optuna estimates it from a search's trials, with fANOVA ([Hutter et al.
# 2014](https://proceedings.mlr.press/v32/hutter14.html)): it fits a forest of trees to the trials and
# takes the variance apart, as we did with the whole table above. But it has seen twenty trials where
# the table has 225. How sure is it? We ask six searches.

# %% tags=["nbval-ignore-output"]
from optuna.importance import FanovaImportanceEvaluator, get_param_importances

told = []
for seed in tqdm(range(6), leave=False):
    found = lmtune.search(table.objective, space, 20, sampler="random", seed=seed, progress=False)
    told.append(get_param_importances(found.study, evaluator=FanovaImportanceEvaluator(seed=0)))
for name in space:
    shares = [t[name] for t in told]
    whole = final.mean(axis=tuple({0, 1, 2} - {list(space).index(name)})).var() / final.var()
    print(f"{name:13} from {min(shares):.2f} to {max(shares):.2f}; the whole table says {whole:.3f}")
claim("by each of six searches the rate matters most, and warm-up more than weight decay",
      all(sorted(t, key=t.get) == ["weight_decay", "warmup", "lr"] for t in told))

# %% [markdown]
# (The table's shares are those of the losses as they are, without the cap of above.) Six searches agree
# on the order; the sizes of the small bars scatter. And remember what the table said about good rates
# alone: a bar that is small because the hopeless rates fill the chart is not a setting without effect.
# Repeat the search with another seed, and once within the good region, before you leave a setting out.
#
# ## One search, several processes
#
# With `storage` the trials live in a file. Several processes that name the same file share one study:
# each asks for the next trial, and none is made twice. And when a process is killed the trial that it
# was making is tried again. Both, live: this script waits a little in each trial, and the first
# process is killed in its third.

# %% tags=["nbval-ignore-output", "slow"]
import os
import subprocess
import sys
import tempfile
from pathlib import Path

folder = Path(tempfile.mkdtemp())
(folder / "worker.py").write_text('''
import os, sys, time
from pathlib import Path
import lmtune
from lmtune.chapters import recorded
from lmtune.hpo.benchmark import Table

Path(f"here-{os.getpid()}").touch()
while len(list(Path().glob("here-*"))) < int(sys.argv[2]):
    time.sleep(0.05)  # begin together, however long each took to start
table = Table.of(recorded("hyperparameter_tuning/table"))

def objective(settings, report):
    print("trial", flush=True)
    time.sleep(0.4)
    return table.curve(settings)[-1]

lmtune.search(objective, {"lr": lmtune.Float(1e-5, 1e-1, log=True)}, 12, sampler="random",
              storage=sys.argv[1], progress=False)
''')


def worker(started):
    return subprocess.Popen([sys.executable, "worker.py", "search.db", str(started)], cwd=folder,
                            stdout=subprocess.PIPE, text=True,
                            env={**os.environ, "PYTHONPATH": str(Path(lmtune.__file__).parents[1])})


first = worker(1)
for _ in range(3):
    first.stdout.readline()
first.kill()
first.communicate()
two = [worker(3), worker(3)]  # the first one left its mark too
made = [process.communicate()[0].count("trial") for process in two]

shared = lmtune.search(table.objective, {"lr": Float(1e-5, 1e-1, log=True)}, 12, sampler="random",
                       storage=folder / "search.db", progress=False)
alone = lmtune.search(table.objective, {"lr": Float(1e-5, 1e-1, log=True)}, 12, sampler="random",
                      progress=False)
states = list(shared.table()["state"])
print(f"trials made before the kill: 3, by the two processes afterwards: {made[0]} and {made[1]}")
print(f"{states.count('complete')} complete, {states.count('interrupted')} interrupted")

# %% tags=["nbval-ignore-output", "slow"]
rates_tried = sorted(t.params["lr"] for t in shared.trials if t.state.name == "COMPLETE")
claim("a search killed in its third trial, resumed by two processes, loses none and completes none twice",
      states.count("complete") == len(set(rates_tried)) == 12 and states.count("interrupted") == 1)
claim("the twelve rates of a search killed and resumed are those of a search that was never killed",
      rates_tried == sorted(t.params["lr"] for t in alone.trials))
claim("both processes that resume a killed search make at least one trial each", min(made) >= 1)

# %% [markdown]
# The file is an SQLite database, for processes on one machine and a local disk. For many machines
# Optuna speaks to a database server; `lmtune.search` leaves that to it.
#
# ## What tutorials get wrong, measured
#
# ### `lr=0.1`, which nobody uses
#
# *Found in teaching texts on cyclical rates:* an optimizer made with `lr=0.1`, then a `CyclicLR` from
# 1e-4 to 1e-3. Readers take 0.1 for the rate.

# %%
optimizer = optimizer_with("sgd", lr=0.1)
torchs = torch.optim.lr_scheduler.CyclicLR(optimizer, base_lr=1e-4, max_lr=1e-3, step_size_up=4)
used = rates_of(optimizer, torchs, 24)
print(f"rates used: {min(used):g} to {max(used):g}")
claim("not one update has the optimizer's rate of 0.1: CyclicLR overwrites it as it is made",
      max(used) <= 1e-3)

# %% [markdown]
# ### A cyclic schedule stepped once an epoch
#
# *Found in teaching texts on cyclical rates:* `scheduler.step()` at the end of the epoch, as for a
# `StepLR`, although the half cycle was counted in updates. It is measured on three epochs of sixteen
# updates.

# %% tags=["nbval-ignore-output", "slow"]
once_an_epoch = [cyclical(t // 16, 8, 0.1, 1.0) for t in range(48)]
print("factors used:", sorted(set(once_an_epoch)))
right = final_loss(steps=48, lr=1e-3, schedule=Cyclic(8))
wrong = final_loss(steps=48, lr=1e-3, schedule=lambda t, total: once_an_epoch[t])
print(f"stepped at each update {right:.3f}, once an epoch {wrong:.3f}")
claim("in three epochs of 16 updates a cyclic schedule stepped once an epoch stays below 1/3 of its peak",
      max(once_an_epoch) < 1 / 3)
claim("in one run a schedule stepped once an epoch costs over 0.03 nats beside one stepped each update",
      wrong > right + 0.03)

# %% [markdown]
# ### A half cycle longer than the run
#
# *Found in torch 2.13.0 as the default:* `step_size_up=2000`. A fine-tune of 48 updates then climbs a
# fortieth of the way to its peak.

# %% tags=["nbval-ignore-output", "slow"]
long = Cyclic(2000)
too_long = final_loss(steps=48, lr=1e-3, schedule=long)
highest = max(long(t, 48) for t in range(48))
print(f"highest factor {highest:.3f}; loss {too_long:.3f} beside {right:.3f}")
claim("with a floor of a tenth and a half cycle of 2000, 48 updates stay below an eighth of the peak",
      long(47, 48) < 1 / 8)
claim("in one run of 48 updates a half cycle of 2000 costs over 0.06 nats beside one of 8",
      too_long > right + 0.06)

# %% [markdown]
# ### `CyclicLR` with Adam, unasked for
#
# *Found in torch 2.13.0:* `cycle_momentum=True` is the default. With Adam the "momentum" is $\beta_1$,
# and it is replaced: whatever you had set is gone before the first update.

# %%
optimizer = optimizer_with("adamw", lr=1e-3)
print("betas as set:", optimizer.param_groups[0]["betas"])
torchs = torch.optim.lr_scheduler.CyclicLR(optimizer, 1e-4, 1e-3, step_size_up=4)
seen = []
for _ in range(9):
    seen.append(round(optimizer.param_groups[0]["betas"][0], 3))
    optimizer.step()
    torchs.step()
print("beta1 in the updates:", seen)
claim("under CyclicLR the beta1 of AdamW is never the 0.95 that was set and swings from 0.9 to 0.8",
      0.95 not in seen and (max(seen), min(seen)) == (0.9, 0.8), versions={"torch": "2.13.0"})

# %% [markdown]
# Say `cycle_momentum=False`. A schedule that is a function of the update, as in `lmtune`, cannot touch
# anything else.
#
# ### Choosing by the last batch's training loss
#
# *Found in hand-written searches:* `return loss.item()` at the end of the objective. Six recorded
# searches of twelve trials, all with good settings, hold both numbers of each trial: the last batch's
# training loss and the validation loss. (Such trials are nearly equals, so no choice could gain much. The
# question is only whether the last batch carries the information that the validation loss has.)

# %%
chosen = [s["losses"][int(np.argmin(s["last batches"]))] for s in luck]
spread = [np.std(s["last batches"]) / np.std(s["losses"]) for s in luck]
correlation = np.mean([np.corrcoef(s["last batches"], s["losses"])[0, 1] for s in luck])
print(f"the last batch scatters {min(spread):.0f} to {max(spread):.0f} times as much as "
      f"the validation loss;")
print(f"their correlation within a search is {correlation:+.2f} on average")
print("validation loss of the trial chosen by it:", " ".join(f"{c:.3f}" for c in chosen))
print("best validation loss of the search:       ", " ".join(f"{r:.3f}" for r in reported))
claim("in at most one search of six the last batch's loss names the trial of the best validation loss",
      sum(c == r for c, r in zip(chosen, reported)) <= 1)
claim("in every search the last batch scatters more than three times as much as the validation loss",
      min(spread) > 3)

# %% [markdown]
# ### Batch sizes compared at equal steps
#
# *Found in teaching texts:* "we trained each batch size for 16 steps". The batch of 16 has then read
# four times as much text. Batches of 16 and of 4 are compared at equal steps and at equal tokens.

# %% tags=["nbval-ignore-output", "slow"]
kept_rate = batches["adamw"]["4"]["rates"]["kept"]
short = [final_loss(steps=16, batch_size=4, lr=kept_rate, seed=seed) for seed in range(5)]
large = batches["adamw"]["16"]["losses"]["tuned"]
small = batches["adamw"]["4"]["losses"]["tuned"]
print(f"batch 16, 16 updates {np.mean(large):.3f}; batch 4, 16 updates {np.mean(short):.3f}, "
      f"64 updates {np.mean(small):.3f}")
claim("at equal steps the batch of 16 ends at a lower loss than the batch of 4",
      better=large, worse=short)
claim("at equal tokens the batch of 4 ends at a lower loss than the batch of 16",
      better=small, worse=large)

# %% [markdown]
# ### The search's best score, reported as the result
#
# *Found nearly everywhere:* `print(study.best_value)` as the last line. What is that number worth? It is
# measured by how far the reported best of a search lies below what the same settings give on fresh seeds.

# %%
optimism = paired_interval(reported, fresh)
print(f"reported minus fresh: {optimism.difference:+.3f} ± {optimism.half_width:.3f} nats")
claim("in each of six searches the reported best is lower than the winner's mean loss on fresh seeds",
      all(r < f for r, f in zip(reported, fresh)))

# %% [markdown]
# ## Quiz
#
# What would you say? Open the choice that you think is right; each tells what would follow from it.
#
# {{quiz:hyperparameter-tuning}}

# %% [markdown]
# ## Exercises
#
# ### Triangular
#
# {{exercise:hyperparameter-tuning/triangular}}
#
# The formula stands above; `%` makes it shorter.

# %%
# {{stub:hyperparameter-tuning/triangular}}


check("hyperparameter-tuning/triangular", triangular)

# %% [markdown]
# {{solution:hyperparameter-tuning/triangular}}

# %% [markdown]
# ### Read a range test
#
# {{exercise:hyperparameter-tuning/range-reading}}
#
# Smooth, take the slopes, find the steepest fall. (You have seen that on a noisy test this is not the
# reading to use; it is the one with the most places to go wrong.)

# %%
# {{stub:hyperparameter-tuning/range-reading}}


check("hyperparameter-tuning/range-reading", read_range_test)

# %% [markdown]
# {{solution:hyperparameter-tuning/range-reading}}

# %% [markdown]
# ### Mend a search space
#
# {{exercise:hyperparameter-tuning/search-space}}
#
# This one has two faults. Nine in ten of its rates lie above 0.01, and it draws a momentum for AdamW,
# which has none:
#
# ```python
# def space(trial):
#     return {"lr": trial.suggest_float("lr", 1e-5, 1e-1),
#             "optimizer": trial.suggest_categorical("optimizer", ["adamw", "sgd"]),
#             "momentum": trial.suggest_float("momentum", 0.8, 0.99)}
# ```

# %%
# {{stub:hyperparameter-tuning/search-space}}


check("hyperparameter-tuning/search-space", space)

# %% [markdown]
# {{solution:hyperparameter-tuning/search-space}}

# %% [markdown]
# ### Successive halving
#
# {{exercise:hyperparameter-tuning/halving}}
#
# `train` stands for a whole training run. Your function is judged by which runs it asks for, too.

# %%
# {{stub:hyperparameter-tuning/halving}}


check("hyperparameter-tuning/halving", successive_halving)

# %% [markdown]
# {{solution:hyperparameter-tuning/halving}}

# %% [markdown]
# ### Is the difference real?
#
# {{exercise:hyperparameter-tuning/real-difference}}
#
# You have the losses of two settings under the same seeds. (`claim` does what you write here.)

# %%
# {{stub:hyperparameter-tuning/real-difference}}


check("hyperparameter-tuning/real-difference", difference)

# %% [markdown]
# {{solution:hyperparameter-tuning/real-difference}}

# %% [markdown]
# ### What would a shorter search have found?
#
# {{exercise:hyperparameter-tuning/expected-best}}
#
# You made a search of $n$ trials. What would one of $k$ trials have found, on average? Nothing need be
# trained anew ([Dodge et al. 2019](https://arxiv.org/abs/1909.03004)).

# %%
# {{stub:hyperparameter-tuning/expected-best}}


check("hyperparameter-tuning/expected-best", expected_best)

# %% [markdown]
# {{solution:hyperparameter-tuning/expected-best}}

# %% [markdown]
# ## What to remember
#
# Differences in nats per token with their 95 % intervals, as printed above:
#
# - The learning rate decides. Forty updates at 1e-3 beat a third of it by 0.062 ± 0.009 and 1.8 times
#   of it by 0.049 ± 0.013; ten times too much lost 1.86 ± 0.26 more than ten times too little. When in
#   doubt, go left.
# - Divergence need not be `nan`: compare with the loss before training.
# - A range test finds the order of magnitude for the price of two runs. At a smoothing of 0.8 the steepest
#   point was worse than the valley by 0.184 ± 0.096; at others even the valley misled under some seed. Four
#   times the batch made one curve readable, at four times the price.
# - In a very short fine-tune with AdamW a constant rate beat cosine by 0.046 ± 0.008, and triangular
#   beat cosine by 0.032 ± 0.009; with SGD triangular was worse than cosine by 0.067 ± 0.022. Say at
#   which budget a schedule wins.
# - Compare batch sizes at equal tokens. For SGD the linear rule named the best rate up to 16 times the
#   batch, where it met the wall; for AdamW the root did at four times, and the linear rule was lost at
#   16 times.
# - Random beats grid when few axes matter: by 0.092 ± 0.048 with 8 trials, 0.075 ± 0.027 with 27. With
#   64 full trials TPE beat random by 0.006 ± 0.004, and halving made TPE worse by 0.026 ± 0.012. The
#   saving to a third that is often told of was not seen here.
# - The best of a search is lucky: 0.070 ± 0.024 in searches of twelve among equals, and nothing of it
#   was left on fresh seeds. Re-run the winner, and touch the test split once (there 1e-3 beat 5e-5 by
#   about 0.2).
# - Importances from twenty trials agree on the order and scatter in size. A small bar is small beside
#   hopeless rates; among good ones warm-up explained a third of the rest.
#
# ## Further reading
#
# - L. N. Smith, [*Cyclical Learning Rates for Training Neural
#   Networks*](https://arxiv.org/abs/1506.01186) (2017), first put online in 2015: the range test and
#   the three modes.
# - J. Bergstra and Y. Bengio, [*Random Search for Hyper-Parameter
#   Optimization*](https://jmlr.org/papers/v13/bergstra12a.html) (2012): the picture of the grid.
# - T. Akiba et al., [*Optuna*](https://arxiv.org/abs/1907.10902) (2019), and its documentation of
#   samplers and pruners.
# - L. Li et al., [*A System for Massively Parallel Hyperparameter
#   Tuning*](https://arxiv.org/abs/1810.05934) (2020): successive halving without waiting.
# - J. Dodge et al., [*Show Your Work*](https://arxiv.org/abs/1909.03004) (2019): report what a budget
#   finds, not only the best.
