# %% [markdown]
# # Regularization
#
# A model that is trained long enough on few texts learns them by heart. Everything that is done
# against this goes by the name of *regularization*: penalties, weight decay, dropout, stopping early,
# staying near the pretrained weights, smoothing labels, augmenting data. Each has its advocates. In
# this chapter you write each of them in a few lines, see it proven equal to the one in `lmtune` or in
# torch, and then look at what it did at the same budget, with five seeds and an interval.
#
# Several of them do little or nothing here. You will see which, and what those that work have in common.
#
# You have read the chapter on your first fine-tune: the loss, the baselines, `fit` and `claim`.

# %%
import math

import torch
import torch.nn.functional as F

import lmtune
from lmtune import check, claim, explore, figure, show
from lmtune.chapters import recorded
from lmtune.notebook.claims import paired_interval

# %% [markdown]
# ## What a model learns by heart
#
# Take 48 short windows of NetworkX's documentation, some 3,000 tokens, and train `pocket-mini` on
# them for 60 updates of 8 windows: ten epochs. After every fifth update we look at 40 windows of
# other documents (any that repeats a training window is left out), and keep more than their mean
# loss: for each token the probability of the right one, and of the model's favourite.
#
# `run` is `fit` one event at a time, so that we can look between two updates.

# %% tags=["nbval-ignore-output"]
texts = lmtune.language_modelling("networkx")
model, tokenizer = lmtune.load("pocket-mini")
untouched, _ = lmtune.load("pocket-mini")
train = lmtune.windows(texts.train[::40], tokenizer, context=64)[:48]
known = [window["input_ids"] for window in train]
validation = [window for window in lmtune.windows(texts.validation[::3], tokenizer, context=64)
              if window["input_ids"] not in known][:40]


@torch.no_grad()
def predictions(model, windows):
    """Probabilities of every token (N, V), the right tokens (N,), and the window of each (N,)."""
    model.eval()
    probabilities, labels, owner = [], [], []
    for number, window in enumerate(windows):
        ids = torch.tensor(window["input_ids"])[None]
        right = torch.tensor(window["labels"])[1:]
        counts = right != -100
        probabilities.append(model(ids).logits[0, :-1][counts].float().softmax(-1))
        labels.append(right[counts])
        owner += [number] * int(counts.sum())
    return torch.cat(probabilities), torch.cat(labels), torch.tensor(owner)


# %% [markdown]
# What else can be measured than the loss? The *accuracy*: how often the likeliest token is the right
# one. And the *calibration*: of the predictions that the model gives 80 %, are 80 % right? Sort the
# predictions by the probability of the favourite, their *confidence*, into ten bins. The *expected
# calibration error* (ECE) is the mean distance between confidence and accuracy of the bins, each
# weighted by its number of predictions $n_b$ of $N$
# ([Guo et al. 2017](https://arxiv.org/abs/1706.04599)):
#
# $$\mathrm{ECE} = \sum_b \frac{n_b}{N}\, \lvert \mathrm{accuracy}_b - \mathrm{confidence}_b \rvert .$$

# %%
from lmtune.diagnostics.calibration import expected_calibration_error


def calibration_error_by_hand(probabilities, labels, bins=10):
    confidence, favourite = probabilities.max(-1)
    right, error = (favourite == labels).float(), 0.0
    for b in range(bins):
        inside = (confidence >= b / bins) & (confidence < (b + 1) / bins)
        if inside.any():
            gap = right[inside].mean() - confidence[inside].mean()
            error += inside.float().mean() * gap.abs()
    return float(error)


probabilities, labels, _ = predictions(model, validation)
claim("the calibration error by hand equals lmtune's to four digits",
      math.isclose(calibration_error_by_hand(probabilities, labels),
                   expected_calibration_error(probabilities, labels), rel_tol=1e-4))

# %% tags=["nbval-ignore-output", "slow"]
seen = {"step": [], "loss": [], "accuracy": [], "ECE": []}
by_window = []                                  # for each look, the mean loss of each window
config = lmtune.Config(steps=60, batch_size=8, lr=1e-3, warmup=3, schedule="constant")
history = lmtune.History()


def look(step):
    probabilities, labels, owner = predictions(model, validation)
    loss = -probabilities.gather(1, labels[:, None])[:, 0].log()
    sums = torch.zeros(len(validation)).index_add(0, owner, loss)
    by_window.append((sums / torch.bincount(owner, minlength=len(validation))).tolist())
    right = (probabilities.argmax(-1) == labels).float().mean()
    error = expected_calibration_error(probabilities, labels)
    for name, value in zip(seen, (step, float(loss.mean()), float(right), error)):
        seen[name].append(value)


look(0)
for event in lmtune.run(model, train, config):
    history.add(event)
    if event.step % 5 == 0:
        look(event.step)

fig, axes = figure(height=2.8, columns=3)
axes[0].plot(range(1, 61), history.losses, label="training")
axes[0].plot(seen["step"], seen["loss"], label="validation")
axes[0].legend()
for ax, name in zip(axes, ("loss", "accuracy", "ECE")):
    if name != "loss":
        ax.plot(seen["step"], seen[name])
        ax.set_ylim(0, 0.5)
    ax.set(xlabel="updates", title=name)
show(fig, caption="Ten epochs on 48 windows.",
     alt="Three panels over sixty updates. The training loss falls steeply towards zero, while the "
         "validation loss falls a little and then rises far above its start. The accuracy on the "
         "validation windows changes by a few hundredths. The calibration error stays flat for fifteen "
         "updates and then rises to the end.")

# %% tags=["nbval-ignore-output", "slow"]
best = seen["loss"].index(min(seen["loss"]))
print(f"{'after update':14}" + "".join(f"{seen['step'][i]:8}" for i in (0, best, -1)))
for name in ("loss", "accuracy", "ECE"):
    print(f"{name:14}" + "".join(f"{seen[name][i]:8.2f}" for i in (0, best, -1)))
claim("after ten epochs the last batch's loss is below 1 nat, the validation loss over 0.4 above its best",
      history.losses[-1] < 1 and seen["loss"][-1] > seen["loss"][best] + 0.4)
claim("of 100 predictions fewer than 5 more are wrong after ten epochs than at the best moment",
      seen["accuracy"][-1] > seen["accuracy"][best] - 0.05)
claim("the calibration error is over 0.1 higher after ten epochs than at the best moment",
      seen["ECE"][-1] > seen["ECE"][best] + 0.1)

# %% [markdown]
# Three different things happened. The training loss fell to where it says nothing any more. The
# model's *choices* on new text hardly got worse. But its *certainty* did: it is now often sure and
# wrong, and the validation loss, which counts the logarithm of the probability, pays for every one of
# these. Whoever watches accuracy alone does not see it.
#
# And where did the 3,000 tokens go? Give the model the first twelve tokens of a training window and
# let it go on.

# %% tags=["slow"]
def recited(model, window, given=12, asked=30):
    """How many of the next tokens come back exactly, in a row."""
    ids = window["input_ids"]
    with torch.no_grad():
        said = model.generate(torch.tensor([ids[:given]]), max_new_tokens=asked, do_sample=False,
                              attention_mask=torch.ones(1, given, dtype=torch.long))[0].tolist()
    same = [a == b for a, b in zip(said[given:], ids[given:])]
    return same.index(False) if False in same else len(same)


def mean_recited(model, windows):
    long = [w for w in windows if len(w["input_ids"]) == 64][:12]
    return sum(recited(model, w) for w in long) / len(long)


by_heart = mean_recited(model, train)
print(f"tokens recited of 30: untouched {mean_recited(untouched, train):.0f}, trained "
      f"{by_heart:.0f}, on other documents {mean_recited(model, validation):.0f}")
claim("on average 20 or more of 30 tokens of a training window are recited in a row, of others "
      "fewer than 5", by_heart >= 20 and mean_recited(model, validation) < 5)

# %% [markdown]
# Memory is not a figure of speech. Ten epochs were enough to store the windows in the weights, word
# for word. (This is also why private text in a training set is a risk: [Carlini et al.
# 2021](https://arxiv.org/abs/2012.07805).)
#
# ## The study behind this chapter
#
# The sections below need many runs: every technique at strengths to choose from, then five seeds.
# They were made once by `chapters/regularization/studies/ablation.py` and are part of the package. The field
# is the one above with 40 updates: the same 48 windows to train on, the same 40 to validate on, and
# 64 of test documents to report. The strength of each technique was chosen on the validation windows
# with a seed of its own, for the weights at the end of the run; then five other seeds were tested.
# Each run gives two test losses: that of its *last* weights, and that of the weights of its *best*
# validation, looked for every fifth update.

# %%
study = recorded("regularization/ablation")
rows = study["results"]["rows"]


def test_losses(row, which="last"):
    return [run[which] for run in rows[row]["runs"]]


def compare(names, against="none"):
    """Mean test loss of each row, and its paired difference with the baseline."""
    print(f"{'':31}  last weights           best weights")
    for name in names:
        line = f"{name:31}"
        for which in ("last", "best"):
            values, base = test_losses(name, which), test_losses(against, which)
            d = paired_interval(values, base)
            line += f"  {sum(values) / len(values):.2f}"
            line += " " * 15 if name == against else f" {d.difference:+.2f} ± {d.half_width:.2f}  "
        print(line.rstrip())


print("made", study["date"], "on", study["machine"], "with torch", study["versions"]["torch"])
print("cost:", study["CPU seconds"], "CPU-seconds; the untouched model's test loss is",
      f"{study['results']['untouched']:.2f}")
compare(["none"])

# %% [markdown]
# A recorded number is worth as much as the possibility to make it again. So here is one of its runs,
# live: seed 0 without any regularization.

# %% tags=["nbval-ignore-output", "slow"]
test = [w for w in lmtune.windows(texts.test[::3], tokenizer, context=64)
        if w["input_ids"] not in known][:64]
settings = dict(steps=40, batch_size=8, lr=1e-3, warmup=2, schedule="constant")


def live(loss=lmtune.next_token_loss, prepare=lambda model: None, **more):
    model, _ = lmtune.load("pocket-mini")
    prepare(model)
    lmtune.fit(model, train, lmtune.Config(**settings, **more), loss=loss)
    return model, lmtune.evaluate(model, test).loss


overfitted, again = live(seed=0)
values = test_losses("none")
spread = max(values) - min(values)
print(f"live {again:.4f}, recorded {values[0]:.4f}, the five seeds differ by {spread:.4f}")
claim("a live run without regularization agrees with the record within the spread of its five seeds",
      abs(again - values[0]) <= spread)

# %% [markdown]
# ## L2 and L1: a price on weights
#
# The oldest idea: large weights cost. Add to the loss $\mathcal{L}$ a *penalty* on the weights $w_i$,
#
# $$\mathcal{L} + \frac{\lambda_2}{2} \sum_i w_i^2 \qquad\text{or}\qquad
# \mathcal{L} + \lambda_1 \sum_i \lvert w_i \rvert ,$$
#
# L2 or L1, where $\lambda$ (lambda) is its strength. What do they do to a weight? Look at their
# derivatives: $\lambda_2 w_i$ for L2, $\lambda_1 \operatorname{sign}(w_i)$ for L1. L2 pulls a large
# weight hard and a small one hardly at all. L1 pulls every weight alike until it is zero.
#
# Written out, and held against what `lmtune.penalized` and autograd make of it. Only matrices are
# penalised; the vectors (biases, and the gains of the norms) are spared, for a reason that comes
# below.

# %%
from lmtune.data.batches import collate

l1, l2 = 1e-4, 1e-2
net = lmtune.load("pocket-mini")[0].double()
batch = collate(train[:4])


def gradients(loss):
    net.zero_grad()
    total, count = loss(net, batch)
    (total / count).backward()
    return [p.grad.clone() for p in net.parameters()]


plain = gradients(lmtune.next_token_loss)
by_hand = [g + l1 * p.detach().sign() + l2 * p.detach() if p.dim() >= 2 else g
           for g, p in zip(plain, net.parameters())]
ours = gradients(lmtune.penalized(lmtune.next_token_loss, l1=l1, l2=l2))
claim("the gradients of L1 and L2 by hand equal autograd's of lmtune.penalized to 1e-12",
      max((a - b).abs().max().item() for a, b in zip(by_hand, ours)) < 1e-12)

# %% [markdown]
# ### What L1 is famous for, and does not do by itself
#
# L1 is said to make weights exactly zero. Does it? Twenty inputs, of which five matter; least squares
# with an L1 penalty, by plain steps along the gradient. Count the exact zeros. Then the same with a
# *proximal* step ([Daubechies, Defrise and De Mol 2004](https://arxiv.org/abs/math/0307152); Beck and
# Teboulle 2009): step along the gradient of the loss alone, then move each weight by $\eta\lambda_1$
# towards zero and **stop there** ($\eta$, eta, is the learning rate).

# %%
torch.manual_seed(0)
inputs = torch.randn(200, 20, dtype=torch.float64)
truth = torch.zeros(20, dtype=torch.float64)
truth[:5] = torch.tensor([2.0, -1.5, 1.0, -0.7, 0.5])
target = inputs @ truth + 0.3 * torch.randn(200, dtype=torch.float64)


def least_squares(step, rate=0.05, strength=0.1, steps=500):
    w = 0.1 * torch.ones(20, dtype=torch.float64)
    for _ in range(steps):
        gradient = inputs.T @ (inputs @ w - target) / 200
        w = step(w, gradient, rate, strength)
    return w


plain = least_squares(lambda w, g, rate, s: w - rate * (g + s * w.sign()))
proximal = least_squares(lambda w, g, rate, s: F.softshrink(w - rate * g, rate * s))
print("exact zeros:", int((plain == 0).sum()), "by plain steps,", int((proximal == 0).sum()),
      "by proximal steps")
claim("under an L1 penalty plain gradient steps make none of twenty weights exactly zero",
      int((plain == 0).sum()) == 0)
claim("proximal steps of L1 make all fifteen idle weights zero, and none of the five that matter",
      bool((proximal[5:] == 0).all()) and bool((proximal[:5] != 0).all()))

# %% [markdown]
# A plain step passes over zero and comes back, for ever: $\operatorname{sign}$ never gets smaller. So
# a penalty added to the loss shrinks weights, and does not remove one. `softshrink` is torch's name
# for the proximal step of L1: *soft thresholding*.
#
# On the language model, at the strengths that served best:

# %%
compare(["none", "L2 in the loss", "L1 in the loss", "L1, proximal step"])
for name in ("L1 in the loss", "L1, proximal step"):
    share = sum(run["zeros"] for run in rows[name]["runs"]) / 5
    print(f"{name}: {100 * share:.1f} % of the weights are exactly zero")
none = test_losses("none")
claim("L2 lowers the test loss of the last weights by more than 0.15 nats beside plain training",
      better=test_losses("L2 in the loss"), worse=none, margin=0.15)
changes = [paired_interval(test_losses(name), none)
           for name in ("L1 in the loss", "L1, proximal step")]
claim("L1, as a penalty or a proximal step, changes the last weights' loss by less than 0.05 nats",
      all(-0.05 < d.low and d.high < 0.05 for d in changes))
claim("the L1 penalty makes no weight of the model zero, the proximal step more than a tenth of them",
      all(run["zeros"] == 0 for run in rows["L1 in the loss"]["runs"])
      and all(run["zeros"] > 0.1 for run in rows["L1, proximal step"]["runs"]))

# %% [markdown]
# The proximal step set almost a quarter of the weights to zero, and the test loss did not notice, for
# better or worse. That is a result about the model's size, and no regularization.
#
# ## Explore: where the minimum moves
#
# Two weights, a loss with its minimum at (2, 0.5), marked by a cross, and a penalty. The solution
# moves as the strength grows: under L2 towards the origin in a curve, under L1 to an axis, and along
# it.

# %% tags=["nbval-ignore-output"]
curvature = torch.tensor([[1.0, 0.4], [0.4, 0.6]])
centre = torch.tensor([2.0, 0.5])
axis = torch.linspace(-1, 3, 81)
grid = torch.stack(torch.meshgrid(axis, axis, indexing="xy"), -1)


def quadratic(w):
    return 0.5 * ((w - centre) @ curvature * (w - centre)).sum(-1)


def solution(penalty, strength):
    w = torch.zeros(2)
    for _ in range(400):
        w = w - 0.5 * (curvature @ (w - centre))
        w = w / (1 + 0.5 * strength) if penalty == "L2" else F.softshrink(w, 0.5 * strength)
    return w


def surface(penalty, strength):
    price = grid.pow(2).sum(-1) / 2 if penalty == "L2" else grid.abs().sum(-1)
    fig, ax = figure(width=4.6, height=3.8)
    ax.contour(axis, axis, quadratic(grid) + strength * price, levels=14, colors="#0072B2",
               linewidths=0.8)
    w = solution(penalty, strength)
    ax.plot(*centre, "x", color="#111111", markersize=9)
    ax.plot(*w, "o", color="#DF7A00", markersize=9)
    ax.axhline(0, color="#444444", linewidth=0.8)
    ax.axvline(0, color="#444444", linewidth=0.8)
    ax.set(xlabel="first weight", ylabel="second weight",
           title=f"weights of the solution: {w[0]:.2f} and {w[1]:.2f}")
    return fig, (f"Contours of the loss with {penalty} of strength {strength}; the solution stands at "
                 f"({w[0]:.2f}, {w[1]:.2f}), the minimum without penalty at (2.00, 0.50).")


explore(surface, goal="find the least strength at which L1 makes a weight exactly zero, and look for "
        "one under L2", penalty=["L1", "L2"],
        strength=([0.0, 0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0], 0.3))

# %%
strengths = [0.1, 0.2, 0.3, 0.5, 0.8, 1.2, 2.0]
first_zero = next(s for s in strengths if float(solution("L1", s)[1]) == 0)
print("L1 first makes the second weight zero at strength", first_zero)
claim("under L2 neither of two weights is exactly zero at any of seven strengths from 0.1 to 2",
      all(bool((solution("L2", s) != 0).all()) for s in strengths))

# %% [markdown]
# ## Weight decay
#
# Now the most used of all, and the most confused. *Weight decay* shrinks each weight at every update
# by a factor, beside the step of the loss: $w \leftarrow w - \eta\, g - \eta \lambda w$, where $g$ is
# the gradient. Under plain gradient descent (SGD) this is the L2 penalty, letter for letter, because
# the penalty's gradient is $\lambda w$:

# %%
def sgd_with_decay(model, config):
    return torch.optim.SGD(model.parameters(), config.lr)


decay, steps = 0.5, 5
a, b = (lmtune.load("pocket-mini")[0].double() for _ in range(2))
matrices = [p for p in b.parameters() if p.dim() >= 2]
config = lmtune.Config(steps=steps, batch_size=4, lr=0.05, clip=None, schedule="constant",
                       optimizer=sgd_with_decay)
lmtune.fit(a, train[:20], config, loss=lmtune.penalized(lmtune.next_token_loss, l2=decay))

before = [p.detach().clone() for p in matrices]
for event in lmtune.run(b, train[:20], config):      # decoupled: shrink beside the step
    with torch.no_grad():
        for p, old in zip(matrices, before):
            p.sub_(config.lr * decay * old)
            old.copy_(p)
worst = max((p - q).abs().max().item() for p, q in zip(a.parameters(), b.parameters()))
claim("under SGD, decay beside the step and L2 in the loss give the same weights to 1e-12",
      worst < 1e-12)

# %% [markdown]
# (Without clipping: with it, a penalty in the loss is clipped along with the gradient, and a decay
# beside it is not.)
#
# Adam divides the gradient by its own scale, weight by weight. If the penalty is part of the
# gradient, it is divided too. So a weight whose gradients are large is hardly decayed, and one whose
# gradients are small is decayed hard. [Loshchilov and Hutter
# (2019)](https://arxiv.org/abs/1711.05101) took the decay out of the gradient again: AdamW. Here are
# seven weights that start at 1 and get nothing but noise as a gradient, of seven different scales.
# What is left of them after 300 updates?

# %% tags=["nbval-ignore-output"]
scales = 10.0 ** torch.arange(-3, 4)


def after_noise(kind, lr=1e-3, decay=1.0, steps=300, copies=200):
    torch.manual_seed(0)
    w = torch.nn.Parameter(torch.ones(copies, 7))
    optimizer = kind([w], lr=lr, betas=(0.9, 0.95), weight_decay=decay)
    for _ in range(steps):
        w.grad = scales * torch.randn(copies, 7)
        optimizer.step()
    return w.detach().mean(0)


left = {"Adam(weight_decay=1)": after_noise(torch.optim.Adam),
        "AdamW(weight_decay=1)": after_noise(torch.optim.AdamW)}
fig, ax = figure(height=2.8)
for name, values in left.items():
    ax.semilogx(scales, values, marker="o", label=name)
ax.set(xlabel="scale of the gradient", ylabel="mean weight left of 1", ylim=(0.6, 1.05))
ax.legend()
show(fig, caption="The same setting, two meanings.",
     alt="What is left of seven weights against the scale of their gradients. Under AdamW all are at "
         "about 0.74. Under Adam the weights with small gradients are at about 0.7, and those with "
         "large gradients are still at 1.")

# %%
coupled, decoupled = left.values()
claim("under AdamW seven weights with gradients of seven scales lose the same share, to 0.02",
      float(decoupled.max() - decoupled.min()) < 0.02)
claim("under Adam the weight of the largest gradients loses under a tenth of what that of the "
      "smallest loses", float(1 - coupled[-1]) < 0.1 * float(1 - coupled[0]))

# %% [markdown]
# ### Norms and biases left out
#
# `lmtune` decays matrices and leaves vectors alone: the gain of a norm is 1 when it does nothing, so
# pulling it to 0 is no pull towards simplicity, and a bias has too few numbers to memorise anything.
# That is the argument. What happens if one decays everything?

# %%
compare(["none", "weight decay", "weight decay 10 of everything"])
d = paired_interval(test_losses("weight decay"), none)
claim("decay of matrices at strength 10 lowers the last weights' loss, by less than 0.1 nats",
      -0.1 < d.low and d.high < 0)
claim("at strength 10 decay of matrices alone ends over 0.2 nats below decay of everything",
      better=test_losses("weight decay"), worse=test_losses("weight decay 10 of everything"),
      margin=0.2)

# %% [markdown]
# Two results. The usual strengths (0.01 to 0.1) are far below the one chosen here, 10, and even that
# one did little: forty updates at a rate of 0.001 shrink a weight by a factor of $(1 - 0.001 \cdot
# 10)^{40} \approx 0.67$ if nothing holds it, and at the usual 0.1 by 0.4 %. In a short fine-tune,
# weight decay hardly has the time to act. And where it is strong enough to act, the norms want to be
# left out.
#
# ## Dropout
#
# During training, set each activation to zero with probability $p$, a new draw each time
# ([Srivastava et al. 2014](https://jmlr.org/papers/v15/srivastava14a.html)). No unit can rely on any
# other being there. What is kept is divided by $1 - p$, so that its mean stays what it was, and
# evaluation needs no correction at all.

# %%
def dropout_by_hand(x, rate):
    mask = torch.empty_like(x).bernoulli_(1 - rate)
    return x * mask / (1 - rate)


x = torch.randn(1000, 200)
torch.manual_seed(1)
mine = dropout_by_hand(x, 0.3)
torch.manual_seed(1)
claim("with the same random numbers dropout by hand is torch's dropout, to six digits",
      torch.allclose(mine, F.dropout(x, 0.3, training=True), rtol=1e-6))
claim("the mean of dropout's output over many draws is its input, to within 0.01",
      abs(float(dropout_by_hand(torch.ones(1000, 200), 0.3).mean()) - 1) < 0.01)

# %% [markdown]
# Where does a Transformer drop? In GPT-2 behind the embeddings, on the attention weights, and behind
# each of the two sublayers before it is added to the residual stream. `pocket-mini` was pretrained
# without dropout, and has all these places with the rate 0. Now set one.

# %%
from lmtune.models.dropout import set_dropout

net, _ = lmtune.load("pocket-mini")
ids = torch.tensor(train[0]["input_ids"])[None]


def differs_in_training(net):
    net.train()
    with torch.no_grad():
        return not torch.equal(net(ids).logits, net(ids).logits)


net.config.attn_pdrop = net.config.resid_pdrop = net.config.embd_pdrop = 0.3
claim("dropout rates written into the configuration of a loaded model change nothing",
      not differs_in_training(net))
print(*set_dropout(net, 0.3), sep="\n")
claim("with set_dropout two passes of a loaded model in training mode differ", differs_in_training(net))

# %% [markdown]
# The modules read the configuration once, when they are built. `set_dropout` goes to the modules
# themselves, names the places it found, and refuses a model that has none.
#
# The rate as a curve, five seeds each:

# %%
rates = [0.0, 0.1, 0.3, 0.5]
names = ["none", "dropout 0.1", "dropout 0.3", "dropout 0.5"]
compare(names)
fig, ax = figure(height=2.8)
for which, marker in (("last", "o"), ("best", "s")):
    means = [sum(test_losses(name, which)) / 5 for name in names]
    spans = [paired_interval(test_losses(n, which), [0.0] * 5).half_width for n in names]
    ax.errorbar(rates, means, yerr=spans, marker=marker, capsize=3, label=f"{which} weights")
ax.axhline(study["results"]["untouched"], color="#444444", linestyle=":", label="untouched")
ax.set(xlabel="dropout rate", ylabel="test loss (nats)")
ax.legend()
show(fig, caption="Dropout at four rates, with 95 % intervals over five seeds.",
     alt="Test loss against the dropout rate from 0 to 0.5. The loss of the last weights dips a "
         "little at 0.1 and rises steeply to 5.3 at 0.5. The loss of the best weights rises from "
         "3.56 to the untouched model's 3.69 and stays there.")
claim("dropout of 0.1 lowers the last weights' test loss by more than 0.03 nats beside no dropout",
      better=test_losses("dropout 0.1"), worse=none, margin=0.03)
claim("the last weights without dropout are more than 0.3 nats better than with dropout of 0.3",
      better=none, worse=test_losses("dropout 0.3"), margin=0.3)
claim("the best weights without dropout are over 0.05 nats better than those with dropout of 0.1",
      better=test_losses("none", "best"), worse=test_losses("dropout 0.1", "best"), margin=0.05)
claim("with dropout of 0.3 and 0.5 no look at the validation loss beat the untouched model's",
      all(loss == study["results"]["untouched"] for rate in ("0.3", "0.5")
          for loss in test_losses(f"dropout {rate}", "best")))

# %% [markdown]
# At 0.1 dropout lowers the loss of the last weights by 0.09 nats, far less than stopping early does, and
# makes the best weights worse by 0.10. More of it does harm. The model was pretrained without it, and in forty updates has to learn
# to live with holes *and* NetworkX; a model of two layers has little to spare. That says nothing
# about a large model trained from the start with dropout, and for many epochs, which is where it was
# found to help.
#
# ## Explore: masks and the spread of the ensemble
#
# Each mask is another, thinner network; training with dropout trains them all at once, and evaluation
# without it is meant to stand in for their mean. How far do the thinner networks of a model that was
# *never* trained with dropout differ? Here is the probability that 40 of them give to the token that
# really comes next, at one place of a validation window.

# %% tags=["nbval-ignore-output"]
place, drawn = 20, {}
ids = torch.tensor(next(w for w in validation if len(w["input_ids"]) == 64)["input_ids"])[None]
for rate in (0.0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.3, 0.5):
    set_dropout(net, rate)
    net.train()
    torch.manual_seed(0)
    with torch.no_grad():
        many = net(ids[:, :place + 1].repeat(40, 1)).logits[:, -1].softmax(-1)
    drawn[rate] = many[:, ids[0, place + 1]]


def ensemble(rate):
    fig, axes = figure(height=2.8, columns=2)
    torch.manual_seed(0)
    axes[0].imshow(torch.empty(12, 24).bernoulli_(1 - rate), cmap="gray", vmin=0, vmax=1)
    axes[0].set(title="one mask", xticks=[], yticks=[])
    axes[1].plot(drawn[rate], range(40), "o", markersize=4)
    axes[1].set(xscale="log", xlim=(1e-5, 1.5), xlabel="probability of the right token",
                title="40 networks", yticks=[])
    return fig, (f"At rate {rate:g}: a mask with {100 * rate:.0f} % black, and the probabilities "
                 f"that 40 masked networks give to the right token, from {drawn[rate].min():.5f} to "
                 f"{drawn[rate].max():.5f}.")


explore(ensemble, goal="find the rate from which on the networks disagree by a factor of ten",
        rate=list(drawn))

# %% tags=["nbval-ignore-output"]
assert float(drawn[0.0].max() - drawn[0.0].min()) < 1e-4
for rate, given in drawn.items():
    print(f"rate {rate:<4g} largest over least {float(given.max() / given.min()):8.1f}, "
          f"mean {float(given.mean()):.2f}")
claim("the log probabilities of 40 masked networks scatter more at dropout rate 0.1 than at 0.01",
      float(drawn[0.1].log().std()) > float(drawn[0.01].log().std()))
claim("for one token, at dropout 0.3, the mean of 40 masked networks is below half the whole network's",
      float(drawn[0.3].mean()) < 0.5 * float(drawn[0.0].mean()))

# %% [markdown]
# So for this model, at this token, evaluation without dropout does *not* stand in for the mean of the
# thinner networks: that takes training with dropout, for long enough.

# %% [markdown]
# ## Early stopping
#
# The opening picture suggests the cheapest remedy: stop while it is good. Look at the validation loss
# every so often; when it has not improved for `patience` looks, stop, and give back the *best*
# weights, not the last. Ten lines:

# %%
def early_stop(losses, patience, min_delta=0.0):
    best, kept, waited = math.inf, None, 0
    for stopped, loss in enumerate(losses):
        improved = loss < best - min_delta       # never true of nan
        if loss < best:
            best, kept = loss, stopped           # here the weights are saved
        waited = 0 if improved else waited + 1
        if waited == patience:
            break
    return stopped, kept


from lmtune.training.early_stopping import EarlyStopping

noisy = [3.0, 2.5, 2.6, 2.4, 2.5, float("nan"), 2.3, 2.4, 2.5, 2.6]
for patience in (1, 2, 3, 4):
    memory = EarlyStopping(patience)
    for look_number, loss in enumerate(noisy):
        memory.note(look_number, loss, torch.nn.Linear(1, 1))
        if memory.enough:
            break
    assert early_stop(noisy, patience) == (look_number, memory.best_step)
claim("early stopping by hand stops where lmtune.EarlyStopping stops, and keeps the same weights",
      early_stop(noisy, 1) == (2, 1) and early_stop(noisy, 3) == (9, 6))

# %% [markdown]
# With `fit` it is two settings, `patience` and `evaluate_every`. (`min_delta` is the least
# improvement that counts. With `lmtune` it is measured from the last loss that counted, so that many
# small improvements count once they add up; with the ten lines above, which measure from the best,
# they never do.)
#
# What is it worth? In the study every run has both results: its last weights, and those of its best
# validation.

# %%
claim("the best weights beat the last ones of plain training by over 0.3 nats on the test documents",
      better=test_losses("none", "best"), worse=test_losses("none", "last"), margin=0.3)
best_of_none = test_losses("none", "best")
print(f"untouched {study['results']['untouched']:.2f}, best {sum(best_of_none) / 5:.2f}")
claim("the best weights of plain training beat the untouched model on test documents at all five seeds",
      max(best_of_none) < study["results"]["untouched"])

# %% [markdown]
# Note the price: it needs validation documents. And their number matters. Our curve at the top was
# measured on 40 windows. What if we had only four? Draw four of the forty at random, a thousand
# times, stop by the curve of these four, and ask all forty what was kept.

# %% tags=["nbval-ignore-output", "slow"]
curve = torch.tensor(by_window, dtype=torch.float64)          # (looks, windows)
full = curve.mean(1)


def regret(patience, windows, draws=1000):
    """How much worse than the best moment is what is kept, in nats, on the mean of all windows."""
    made = torch.Generator().manual_seed(0)
    lost = []
    for _ in range(draws):
        some = torch.randperm(curve.shape[1], generator=made)[:windows]
        _, kept = early_stop(curve[:, some].mean(1).tolist(), patience)
        lost.append(float(full[kept] - full.min()))
    return sum(lost) / draws


print("mean regret in nats      patience 1   patience 3")
for windows in (1, 4, 16):
    print(f"{windows:3} validation windows   {regret(1, windows):10.3f}   {regret(3, windows):10.3f}")
claim("stopping by one validation window costs more than stopping by sixteen, at patience 1 and 3",
      all(regret(p, 1) > regret(p, 16) for p in (1, 3)))

# %% [markdown]
# A noisy curve makes one stop too soon, or keep a lucky moment. More validation data cure both. More
# patience cures the first alone, and with very few windows it may even hurt: it gives a lucky moment
# more time to come. (Windows count equally here, whatever their length.)
#
# ## Explore: patience on a noisy curve

# %% tags=["nbval-ignore-output", "slow"]
def what_is_kept(windows, patience):
    noisy = curve[:, :windows].mean(1).tolist()
    stopped, kept = early_stop(noisy, patience)
    fig, ax = figure(height=3)
    ax.plot(seen["step"], noisy, marker="o", label=f"{windows} window(s)")
    ax.plot(seen["step"], full.tolist(), label="all 40")
    ax.axvline(seen["step"][stopped], color="#444444", linestyle=":", label="stopped")
    ax.plot(seen["step"][kept], noisy[kept], "s", markersize=11, color="#882255", label="kept")
    ax.set(xlabel="updates", ylabel="validation loss (nats)")
    ax.legend()
    return fig, (f"With {windows} validation window(s) and patience {patience} the run stops at update "
                 f"{seen['step'][stopped]} and keeps update {seen['step'][kept]}, "
                 f"{full[kept] - full.min():.2f} nats above the best.")


explore(what_is_kept, goal="find the fewest windows with which some patience keeps a moment within "
        "0.05 nats of the best; does patience help with 2?",
        windows=[1, 2, 4, 8, 16, 40], patience=[1, 2, 3, 5])
assert len(curve) == len(seen["step"]) == 13

# %% tags=["nbval-ignore-output", "slow"]
for windows in (1, 2, 4, 8, 16, 40):
    kept = [early_stop(curve[:, :windows].mean(1).tolist(), p)[1] for p in (1, 2, 3, 5)]
    above = "  ".join(f"{float(full[k] - full.min()):.2f}" for k in kept)
    print(f"{windows:2} window(s), patience 1, 2, 3, 5: {above} nats above the best moment")

# %% [markdown]
# ## Staying near the start
#
# Early stopping has another reading. A pretrained model starts at a good place, and a few updates
# keep it near. Then why not say so in the loss? L2 pulls weights towards *zero*, where the pretrained
# model is not. L2-SP ([Li, Grandvalet and Davoine 2018](https://arxiv.org/abs/1802.01483)) pulls them
# towards the start $w^0$:
#
# $$\mathcal{L} + \frac{\alpha}{2} \sum_i (w_i - w^0_i)^2 .$$

# %%
net = lmtune.load("pocket-mini")[0].double()
held = lmtune.anchored(lmtune.next_token_loss, net, strength=0.1)
start = [p.detach().clone() for p in net.parameters()]
with torch.no_grad():
    for p in net.parameters():
        p.add_(0.01)
plain = gradients(lmtune.next_token_loss)
by_hand = [g + 0.1 * (p.detach() - s) for g, p, s in zip(plain, net.parameters(), start)]
claim("the gradient of lmtune.anchored is the gradient by hand, to 1e-12",
      max((a - b).abs().max().item() for a, b in zip(by_hand, gradients(held))) < 1e-12)
compare(["none", "L2 in the loss", "L2-SP"])
claim("a pull towards the start (L2-SP) ends over 0.1 nats below a pull towards zero (L2)",
      better=test_losses("L2-SP"), worse=test_losses("L2 in the loss"), margin=0.1)
claim("the best weights of L2-SP are better than those of plain training by more than 0.02 nats",
      better=test_losses("L2-SP", "best"), worse=test_losses("none", "best"), margin=0.02)

# %% [markdown]
# ## Three more, briefly
#
# **Label smoothing** ([Szegedy et al. 2016](https://arxiv.org/abs/1512.00567)) asks for $1 -
# \varepsilon$ on the right token (epsilon, such as 0.1) and gives the rest to all tokens alike, so
# that certainty itself costs. **EMA**, an exponential moving average of the weights, is what is
# evaluated and kept instead of the last weights. **Mix-up** trains on mixtures of two examples and of
# their labels; for text one mixes embeddings, and it stands in the table of the next section.

# %%
logits, label, epsilon = torch.randn(5, 11), torch.arange(5), 0.1
log_p = logits.log_softmax(-1)
target = torch.full_like(logits, epsilon / 11)
target[torch.arange(5), label] += 1 - epsilon
claim("the loss with label smoothing by hand is torch's, to six digits", math.isclose(
    float(-(target * log_p).sum(-1).mean()),
    float(F.cross_entropy(logits, label, label_smoothing=epsilon)), rel_tol=1e-6))

average, weights = torch.zeros(()), torch.arange(1.0, 6.0)
for w in weights:
    average = w if w == 1 else 0.9 * average + 0.1 * w
theirs = torch.nn.Linear(1, 1, bias=False)
from lmtune.optim.averaging import Average

with torch.no_grad():
    ema = Average(theirs, 0.9)
    for w in weights:
        theirs.weight.fill_(w)
        ema.update()
ema.apply()
claim("the moving average of weights by hand is lmtune's, to six digits",
      math.isclose(float(average), theirs.weight.item(), rel_tol=1e-6))
compare(["none", "label smoothing", "EMA"])
claim("EMA lowers the test loss of the last weights by more than 0.4 nats beside plain training",
      better=test_losses("EMA"), worse=none, margin=0.4)
claim("the last weights of EMA are over 0.03 nats better than even the best ones of plain training",
      better=test_losses("EMA"), worse=test_losses("none", "best"), margin=0.03)
d = paired_interval(test_losses("label smoothing"), none)
claim("label smoothing does not help: the interval leaves no gain of 0.02 nats beside plain training",
      d.low > -0.02)

# %% [markdown]
# The average surprises by how well it does. One reason is the setting: at a decay of 0.97 it looks
# back over some thirty updates, nearly the whole run, so it lags behind and stands nearer to the
# start. It is one more way to stay near. Label smoothing makes the model less certain, and the loss,
# which is measured without smoothing, does not reward it.
#
# ## Augmenting text
#
# Images may be flipped and cropped and stay the same thing. What may be done to a sentence? Look
# before you train. Each function takes a text and gives a text; code comes out as it went in.

# %%
from lmtune.data import augmentation

sentence = "Returns True if the directed graph is not connected, see `is_connected`."
nearest = augmentation.neighbour_senses(lmtune.load("pocket")[0], tokenizer)
encoded = augmentation.neighbour_senses(*lmtune.load_encoder())
print("as it is      ", sentence)
print("swapped       ", augmentation.swap_characters(sentence, 0.4, seed=1))
print("noise         ", augmentation.add_noise(sentence, 0.4, seed=1))
print("word dropout  ", augmentation.drop_words(sentence, 0.4, seed=1))
print("without care  ", augmentation.drop_words(sentence, 0.4, seed=3, keep=frozenset()))
print("neighbours    ", augmentation.replace_synonyms(sentence, nearest, 0.5, seed=1))
for word in ("graph", "array", "maximum", "true", "false"):
    in_pocket, in_encoder = (", ".join((senses(word) or [[]])[0]) for senses in (nearest, encoded))
    print(f"   near {word + ':':9} {in_pocket:24} in the encoder: {in_encoder}")
claim("in the embeddings of either model 'true' is among the nearest neighbours of 'false'",
      all("true" in senses("false")[0] for senses in (nearest, encoded)))

# %% [markdown]
# Which of them change the label? Typing errors do not, for most tasks. Word dropout can: without its
# "not" the sentence says the contrary, so `drop_words` keeps negations unless told otherwise. And
# neighbours in an embedding are words used in the *same places*: "true" is near "false", "minimum"
# near "maximum". For the task below (which library is this docstring from?) that may do no harm; for
# a task about meaning it would.
#
# (The neighbours come from the input embeddings of `pocket` and of the encoder all-MiniLM-L6-v2, which
# was trained on pairs of sentences and has seven times the vocabulary. It finds more inflections.)
#
# **Synonyms** from WordNet come through `nltk`, where its data is installed:
# `augmentation.wordnet_senses()`. It gives all senses of a word, and `replace_synonyms` replaces only
# words that have exactly one. **Back-translation** and **paraphrase** need a model that is not here.
# `augmentation.rewritten(text, *translate)` takes any functions from text to text, and leaves code
# alone. Its effect is *unmeasured* in this book. That is the whole statement.
#
# No function may fail or corrupt what it was not made for:

# %%
strange = ["", "graph", "🎉 👩‍👩‍👧", "שלום עולם, זה משפט",
           "def f(x):\n    return x + 1\n", "See `f(x)`.\n\n>>> f(1)\n2\n"]
changes = [lambda t: augmentation.swap_characters(t, 1.0), lambda t: augmentation.add_noise(t, 1.0),
           lambda t: augmentation.drop_words(t, 1.0),
           lambda t: augmentation.replace_synonyms(t, nearest, 1.0),
           lambda t: augmentation.rewritten(t, str.upper)]
after = {text: [change(text) for change in changes] for text in strange}
claim("empty text, emoji and code come out unchanged from all five ways of augmenting",
      all(set(after[t]) == {t} for t in (strange[0], strange[2], strange[4])))
claim("a text of one word and a right-to-left one are emptied by none of five ways of augmenting",
      all(made.strip() for t in (strange[1], strange[3]) for made in after[t]))
claim("code in backticks and doctests stay as they are under all five ways of augmenting",
      all("`f(x)`" in made and ">>> f(1)\n2" in made for made in after[strange[5]]))

# %% [markdown]
# ### Measured on few documents, clean and noisy
#
# Which of four libraries does a docstring come from, names masked? 48 labelled documents, other ones
# for each of five seeds; a head on `pocket-mini`; 60 updates, with each augmentation on the 48
# documents and four altered copies of each. The test documents are read twice: as they are, and with
# typing errors in many words. (`chapters/regularization/studies/augmentation.py` made these.)

# %%
few = recorded("regularization/augmentation")
table, design = few["results"], few["design"]
largest = max(design["test labels"]) / sum(design["test labels"])
print(f"cost: {few['CPU seconds']} CPU-seconds; always the largest class: error {1 - largest:.2f}")
print(f"{'':20}  error, clean          error, noisy          ECE")
for name, runs in table.items():
    line = f"{name:20}"
    for part in ("clean", "noisy"):
        values, base = ([r[part]["error"] for r in t] for t in (runs, table["none"]))
        d = paired_interval(values, base)
        line += f"  {sum(values) / 5:.3f}"
        line += " " * 15 if name == "none" else f" {d.difference:+.3f} ± {d.half_width:.3f}"
    print(line, f" {sum(r['clean']['calibration'] for r in runs) / 5:.2f}")


def errors(name, part):
    return [run[part]["error"] for run in table[name]]


claim("word dropout lowers the error rate on clean documents by more than 0.05 beside no augmentation",
      better=errors("word dropout", "clean"), worse=errors("none", "clean"), margin=0.05,
      unit="in error")
claim("one of four augmentations, at random, lowers the error rate on noisy documents by over 0.05",
      better=errors("one of the four", "noisy"), worse=errors("none", "noisy"), margin=0.05,
      unit="in error")
claim("mix-up lowers the calibration error by more than 0.05 beside no augmentation",
      better=[run["clean"]["calibration"] for run in table["mix-up"]],
      worse=[run["clean"]["calibration"] for run in table["none"]], margin=0.05, unit="in ECE")
for name in ("mix-up", "EMA"):
    d = paired_interval(errors(name, "clean"), errors("none", "clean"))
    claim(f"{name} shows no gain in the error rate on clean documents: the interval holds zero",
          d.low < 0 < d.high)
more = [n - c for n, c in zip(errors("swapped letters", "noisy"), errors("swapped letters", "clean"))]
base = [n - c for n, c in zip(errors("none", "noisy"), errors("none", "clean"))]
d = paired_interval(more, base)
claim("training on swapped letters does not visibly shrink the cost of typing errors: "
      "the interval holds zero", d.low < 0 < d.high)

# %% [markdown]
# With 48 documents, every alteration lowered the error, on clean and on noisy documents alike; word
# dropout and the mixture of all did most. (Dropout's mean gain on clean documents is as large as that of
# typing noise, but its interval holds zero.) One might think that training on typing errors makes a
# model robust against typing errors in particular. Not here: it made the model better at everything,
# and the *difference* between clean and noisy documents stayed. Of the four, neighbours in the embeddings of
# `pocket` helped least; those of the encoder, which are more often only another form of the word, did
# about as well as typing errors on clean documents, and less well on noisy ones.
#
# A warning about word dropout: a document is cut at 64 tokens, and where words are left out, later
# words come in. A part of its gain may be these.
#
# One live run of the table, the first seed of "none" and of "word dropout":

# %% tags=["nbval-ignore-output", "slow"]
import random

packages = tuple(design["packages"])
library = lmtune.classification(packages)
tested = random.Random(0).sample(library.test, design["tested"])


def coded(documents):
    return lmtune.labelled([d.text for d in documents], [d.label for d in documents], tokenizer,
                           context=design["context"])


def error_live(copies, seed=0):
    few = random.Random(seed).sample(library.train, design["labelled"])
    few = few + [d._replace(text=augmentation.drop_words(d.text, design["rate"], copies * i + c))
                 for i, d in enumerate(few) for c in range(copies)]
    net = lmtune.classifier(lmtune.load("pocket-mini")[0], len(packages), seed=seed)
    lmtune.fit(net, coded(few), steps=design["steps"], batch_size=design["batch"], lr=design["lr"],
               warmup=3, schedule="constant", seed=seed, loss=lmtune.classification_loss)
    net.eval()
    with torch.no_grad():
        batches = [collate(coded(tested[i:i + 50])) for i in range(0, len(tested), 50)]
        wrong = [net(b["input_ids"], b["attention_mask"]).argmax(-1) != b["labels"] for b in batches]
    return float(torch.cat(wrong).double().mean())


live_errors = {"none": error_live(0), "word dropout": error_live(design["copies"])}
for name, error in live_errors.items():
    known_errors = errors(name, "clean")
    print(f"{name}: live {error:.3f}, recorded {known_errors[0]:.3f}")
    claim(f"with the augmentation '{name}' live and recorded run agree within the spread of five seeds",
          abs(error - known_errors[0]) <= max(known_errors) - min(known_errors))

# %% [markdown]
# Mix-up, of which the table has a row, is a dozen lines too: here on the vector of each document, on
# which the head stands ([Guo, Mao and Zhang 2019](https://arxiv.org/abs/1905.08941)). Half of one
# document and half of another should be half of one class and half of the other.

# %%
def mixed_loss(head, vectors, labels, share, other):
    """share (B, 1) of each vector and 1 - share of the vector of its partner."""
    logits = head(share * vectors + (1 - share) * vectors[other])
    own = F.cross_entropy(logits, labels, reduction="none")
    partner = F.cross_entropy(logits, labels[other], reduction="none")
    return (share[:, 0] * own + (1 - share[:, 0]) * partner).mean()


torch.manual_seed(0)
head, vectors, labels = torch.nn.Linear(8, 4), torch.randn(6, 8), torch.randint(4, (6,))
claim("with a share of one the loss of mix-up is the plain loss", torch.allclose(
    mixed_loss(head, vectors, labels, torch.ones(6, 1), torch.randperm(6)),
    F.cross_entropy(head(vectors), labels)))

# %% [markdown]
# ## All together
#
# The whole table: each alone, and dropout, decay, L2-SP, smoothing and EMA together, each at the
# strength that was chosen for it alone.

# %%
single = ["none", "L1 in the loss", "L1, proximal step", "L2 in the loss", "weight decay",
          "dropout 0.1", "L2-SP", "label smoothing", "EMA"]
compare([*single, "all together"])
claim("the last weights of EMA alone are over 0.02 nats better than those of all together",
      better=test_losses("EMA"), worse=test_losses("all together"), margin=0.02)
second = min(single[1:-1], key=lambda name: sum(test_losses(name)))
claim(f"the best weights of plain training beat the last ones of {second}, the next best to EMA",
      better=test_losses("none", "best"), worse=test_losses(second), margin=0.02)

# %% [markdown]
# What this table cannot show: how the techniques do with thousands of documents, a hundred epochs, or
# a model that is large for its data in another way. The learning rate was the same for all and tuned
# for none. The strengths were chosen between two or three values, for the last weights, and every choice
# stands at an edge: both L1s, L2, decay, L2-SP and EMA at the strongest value tried, dropout and smoothing
# at the weakest. So "did little" means: at these strengths. The five seeds share their training windows and differ in their order alone; with other
# windows the differences would vary more. Eight comparisons with one baseline also mean that at a
# level of 95 % one of them may stand out by chance.
#
# What do those that helped have in common? One guess: they keep the model near where it began. That can be
# measured, as the length of $w - w^0$ over all weights, for seed 0 of each:

# %% tags=["nbval-ignore-output", "slow"]
def distance(model):
    pairs = zip(model.parameters(), untouched.parameters())
    return math.sqrt(sum(float((p.detach() - q.detach()).pow(2).sum()) for p, q in pairs))


ways = {
    "none": {}, "weight decay": dict(weight_decay=10.0), "EMA": dict(ema=0.97),
    "L2 in the loss": dict(loss=lmtune.penalized(lmtune.next_token_loss, l2=0.01)),
    "L2-SP": dict(loss=lmtune.anchored(lmtune.next_token_loss, untouched, strength=0.1))}
away = {name: distance(live(seed=0, **way)[0]) for name, way in ways.items()}
for name in sorted(away, key=away.get):
    gain = sum(test_losses("none")) / 5 - sum(test_losses(name)) / 5
    print(f"{name:15} {away[name]:5.1f} from the start, {gain:5.2f} nats better than none")
claim("EMA and L2-SP end nearer to the start than plain training, at under 0.7 of its distance",
      max(away["EMA"], away["L2-SP"]) < 0.7 * away["none"])
claim("L2 ends further from the start than plain training",
      away["L2 in the loss"] > away["none"])

# %% [markdown]
# So it is a part of the answer and not the whole: the two that helped most stayed near, and so does early
# stopping, which ends the walk; but L2 walked further and helped too.
#
# What to reach for first, by this table: **look at the validation loss often and keep the best
# weights**, and **average the weights**. Both are nearly free. With few labelled documents, augment. And
# adding everything to everything is no plan: the row of all together is behind its best part.

# %% [markdown]
# ## What tutorials get wrong, measured
#
# Each of these was found in teaching texts, where not said otherwise.
#
# ### A Trainer "with early stopping" that never stops
#
# *Found in a teaching text; run with transformers 5.23.0.* `load_best_model_at_end=True` is called
# early stopping. It keeps the best checkpoint; what would stop is an `EarlyStoppingCallback`, and
# there is none. And the best is chosen by `"accuracy"`, although no `compute_metrics` computes one.

# %% tags=["nbval-ignore-output"]
import tempfile

from transformers import EarlyStoppingCallback, PrinterCallback, Trainer, TrainingArguments
from transformers.utils import logging

logging.set_verbosity_error()
logging.disable_progress_bar()


def trained_by_trainer(epochs=4, callbacks=(), **settings):
    net, _ = lmtune.load("pocket-mini")
    with tempfile.TemporaryDirectory() as folder:
        arguments = TrainingArguments(
            folder, report_to=[], disable_tqdm=True, num_train_epochs=epochs, learning_rate=1e-3,
            lr_scheduler_type="constant",
            per_device_train_batch_size=8, eval_strategy="epoch", save_strategy="epoch",
            load_best_model_at_end=True, logging_strategy="no", dataloader_pin_memory=False, **settings)
        trainer = Trainer(net, arguments, train_dataset=train[:16], eval_dataset=validation[:8],
                          data_collator=collate, callbacks=list(callbacks))
        trainer.remove_callback(PrinterCallback)
        trainer.train()
    return trainer.state


state = trained_by_trainer()
losses = [entry["eval_loss"] for entry in state.log_history if "eval_loss" in entry]
stopped = trained_by_trainer(callbacks=[EarlyStoppingCallback(1)])
print("evaluation losses:", *(f"{loss:.2f}" for loss in losses))
print("updates:", state.global_step, "without the callback,", stopped.global_step, "with it")
claim("without a callback the Trainer trains four epochs, though its evaluation loss ends above the first",
      state.global_step == 8 and losses[-1] > losses[0])
claim("with an EarlyStoppingCallback the Trainer stops before the end of its four epochs",
      stopped.global_step < 8)

# %%
try:
    trained_by_trainer(epochs=1, metric_for_best_model="accuracy")
    missing = False
except KeyError as error:
    missing = "eval_accuracy" in str(error)
    print(str(error)[1:83] + " ...")
claim("choosing by an accuracy that nobody computes ends in a KeyError, after the first epoch",
      missing, versions={"transformers": "5.23.0"})

# %% [markdown]
# ### A loop whose counter was never set
#
# *Found in a hand-written loop.* The counter of patience gets its 0 only where the loss improves. In
# the first epoch it always does, one would think. And behind the loop the model has its last weights.

# %%
def loop_as_found(losses, patience=2):
    best = float("inf")
    for epoch, loss in enumerate(losses):
        if loss < best:
            best = loss
            counter = 0
        else:
            counter += 1
            if counter >= patience:
                break
    return epoch                                  # the weights that the model has now


crashed = False
try:
    loop_as_found([float("nan"), 2.0])
except UnboundLocalError:
    crashed = True
claim("a first loss of nan ends the loop as found in an UnboundLocalError", crashed)
print("as found it ends with the weights of look", loop_as_found([3.0, 2.0, 2.5, 2.6]),
      "and the best were those of look", early_stop([3.0, 2.0, 2.5, 2.6], 2)[1])
claim("early stopping with its counter set to 0 takes a first loss of nan, and keeps the best weights",
      early_stop([float("nan"), 2.0, 2.1, 2.2], 2) == (3, 1))

# %% [markdown]
# ### `Adam(weight_decay=...)`, called weight decay
#
# *Found in most texts older than AdamW, and in newer ones.* It is the L2 penalty, divided by the
# gradient's scale. One update of Adam and one of AdamW show the difference, from a weight of 1, with a
# rate of 0.1, a decay of 0.5, and a gradient that is tiny or large.

# %%
def one_update(kind, gradient):
    w = torch.nn.Parameter(torch.tensor([1.0]))
    optimizer = kind([w], lr=0.1, weight_decay=0.5)
    w.grad = torch.tensor([gradient])
    optimizer.step()
    return w.item()


for gradient in (1e-3, 1e3):
    print(f"gradient {gradient:g}: Adam {one_update(torch.optim.Adam, gradient):.3f}, "
          f"AdamW {one_update(torch.optim.AdamW, gradient):.3f}")
claim("at gradient 1000 Adam's first update with weight_decay is a step of 0.1: the decay adds nothing",
      abs(one_update(torch.optim.Adam, 1e3) - 0.9) < 1e-5)
claim("at gradient 1000 AdamW's first update takes off the step of 0.1, and the decay of 0.05 as well",
      abs(one_update(torch.optim.AdamW, 1e3) - 0.85) < 1e-5)

# %% [markdown]
# ### The penalty added to each micro-batch
#
# *Found in loops with gradient accumulation:* `loss = cross_entropy.sum() / total + penalty` for each
# of $k$ micro-batches. The cross-entropies share the update's labels; the penalty comes $k$ times.

# %%
def penalty_gradient(parts, times_count):
    w = torch.ones(3, dtype=torch.float64, requires_grad=True)
    for labels in parts:                              # labels in each micro-batch
        penalty = 0.01 * w.pow(2).sum() / 2
        share = labels / sum(parts) if times_count else 1
        (penalty * share).backward()
    return w.grad


print("as found:", penalty_gradient([5, 3, 4, 4], False)[0].item(),
      " weighted by labels:", round(penalty_gradient([5, 3, 4, 4], True)[0].item(), 6))
claim("a penalty added to each of four micro-batches is four times too strong", torch.allclose(
    penalty_gradient([5, 3, 4, 4], False), 4 * penalty_gradient([5, 3, 4, 4], True)))


def one_step(accumulate):
    net = lmtune.load("pocket-mini")[0].double()
    loss = lmtune.penalized(lmtune.next_token_loss, l2=0.1)
    lmtune.fit(net, train[:8], steps=1, batch_size=8 // accumulate, accumulate=accumulate,
               lr=0.1, clip=None, optimizer=sgd_with_decay, loss=loss)
    return torch.cat([p.detach().flatten() for p in net.parameters()])


claim("lmtune.penalized gives the same weights with one micro-batch and with four, to 1e-12",
      (one_step(1) - one_step(4)).abs().max().item() < 1e-12)

# %% [markdown]
# ### `hidden_dropout_prob` on a Llama
#
# *Found in a teaching text; run with transformers 5.23.0.* The name is BERT's. A Llama has no such
# field, takes it in silence, keeps it, and drops nothing.

# %%
from transformers import LlamaConfig, LlamaForCausalLM

small = dict(hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2,
             vocab_size=4096)
llama = LlamaForCausalLM(LlamaConfig(**small, hidden_dropout_prob=0.5))
claim("a Llama with hidden_dropout_prob=0.5 gives the same logits twice in training mode",
      not differs_in_training(llama), versions={"transformers": "5.23.0"})
print(*set_dropout(llama, 0.5), sep="\n")
claim("with set_dropout a Llama drops attention weights, its one place for dropout",
      differs_in_training(llama))

# %% [markdown]
# ### A lesson on fine-tuning with random weights
#
# *Found in a teaching text:* `GPT2LMHeadModel(GPT2Config())`, in a lesson on regularizing a
# fine-tune. A model that is built from its configuration has random weights. There is nothing to stay
# near.

# %%
from transformers import GPT2LMHeadModel

torch.manual_seed(0)
built = GPT2LMHeadModel(untouched.config)
print(f"built from its configuration {lmtune.evaluate(built, validation).loss:.1f}, loaded "
      f"{lmtune.evaluate(untouched, validation).loss:.1f}, every token alike "
      f"{math.log(len(tokenizer)):.1f}")
claim("a model built from its configuration has, to 0.3 nats, the loss of 4096 tokens all alike",
      abs(lmtune.evaluate(built, validation).loss - math.log(len(tokenizer))) < 0.3)

# %% [markdown]
# ### The first synonym of the first sense
#
# *Found in teaching texts on augmentation:* `wordnet.synsets(word)[0].lemmas()[0]`, for every word.
# Ten senses in WordNet's form, written for this book, show what that does. (WordNet itself, where it
# is installed, has ten senses of the noun "bank" alone.)

# %%
ours = {
    "bank": [["depository", "lender"], ["riverside", "shore"], ["tilt"]],
    "graph": [["chart", "diagram"], ["network"]],
    "spring": [["leap", "jump"], ["springtime"], ["fountain"]],
    "quick": [["fast", "rapid"]],
    "purchase": [["buy"]],
}
print(sum(map(len, ours.values())), "senses")


def first_of_first(text):
    return " ".join(ours[w][0][0] if w in ours else w for w in text.split())


line = "a quick walk to the bank of the river to look at the graph"
careful = augmentation.replace_synonyms(line, ours.get, rate=1.0)
print("as found:", first_of_first(line))
print("one sense:", careful)
claim("the first synonym makes a river's bank a depository, and careful replacement leaves it alone",
      "depository of the river" in first_of_first(line) and "bank of the river" in careful)

# %% [markdown]
# ## Quiz
#
# What would you say? Open the choice that you think is right; each tells what would follow from it.
#
# {{quiz:regularization}}

# %% [markdown]
# ## Exercises
#
# Each has a check that answers back. Run the cell as it stands first: it says that nothing was
# attempted. The solutions are folded.
#
# ### L1's gradient and a proximal step
#
# {{exercise:regularization/l1-step}}

# %%
# {{stub:regularization/l1-step}}


check("regularization/l1-step", l1_step)

# %% [markdown]
# {{solution:regularization/l1-step}}

# %% [markdown]
# ### Decoupled decay
#
# {{exercise:regularization/decoupled-decay}}
#
# Adam keeps running means $m$ of the gradient and $v$ of its square, corrects both for their start at
# zero, and steps along $\hat m / (\sqrt{\hat v} + \epsilon)$. Where does the decay go?

# %%
# {{stub:regularization/decoupled-decay}}


check("regularization/decoupled-decay", adamw_step)

# %% [markdown]
# {{solution:regularization/decoupled-decay}}

# %% [markdown]
# ### Inverted dropout
#
# {{exercise:regularization/inverted-dropout}}

# %%
# {{stub:regularization/inverted-dropout}}


check("regularization/inverted-dropout", dropout)

# %% [markdown]
# {{solution:regularization/inverted-dropout}}

# %% [markdown]
# ### Early stopping from a given history
#
# {{exercise:regularization/early-stopping}}

# %%
# {{stub:regularization/early-stopping}}


check("regularization/early-stopping", early_stop)

# %% [markdown]
# {{solution:regularization/early-stopping}}

# %% [markdown]
# ### An augmentation that keeps the label
#
# {{exercise:regularization/drop-words}}

# %%
# {{stub:regularization/drop-words}}


check("regularization/drop-words", drop_words)

# %% [markdown]
# {{solution:regularization/drop-words}}

# %% [markdown]
# ### Read a table honestly
#
# {{exercise:regularization/ablation}}

# %%
# {{stub:regularization/ablation}}


check("regularization/ablation", really_better)

# %% [markdown]
# {{solution:regularization/ablation}}

# %% [markdown]
# ## What to remember
#
# - Overfitting shows in the validation loss and in calibration long before it shows in accuracy.
# - Keep the weights of the best validation, not the last, or an average of the weights. Little else is as
#   cheap, and nothing here was as strong.
# - What helped a short fine-tune most stayed near the pretrained weights: stopping early, averaging, a pull
#   towards the start. That is not the whole reason: L2 ended further away and helped too.
# - How much validation data you have decides how well you can stop.
# - A penalty added to the loss makes no weight exactly zero; a proximal step does.
# - Under SGD, L2 in the loss is weight decay. Under Adam it is something else: use AdamW, and say so.
# - Check that a setting takes effect: two passes in training mode must differ when dropout is on.
# - Look at augmented texts with your own eyes, and ask which of them still deserve their label.
# - A technique that did not help in your table did not help. Write that down too.
#
# ## Further reading
#
# - L. Prechelt, *Early Stopping – But When?*, in *Neural Networks: Tricks of the Trade* (1998).
# - N. Srivastava et al., [*Dropout: A Simple Way to Prevent Neural Networks from
#   Overfitting*](https://jmlr.org/papers/v15/srivastava14a.html) (2014).
# - I. Loshchilov and F. Hutter, [*Decoupled Weight Decay Regularization*](https://arxiv.org/abs/1711.05101)
#   (2019).
# - X. Li, Y. Grandvalet and F. Davoine, [*Explicit Inductive Bias for Transfer Learning with
#   Convolutional Networks*](https://arxiv.org/abs/1802.01483) (2018): L2-SP.
# - C. Guo et al., [*On Calibration of Modern Neural Networks*](https://arxiv.org/abs/1706.04599) (2017).
# - J. Wei and K. Zou, [*EDA: Easy Data Augmentation Techniques*](https://arxiv.org/abs/1901.11196) (2019).
