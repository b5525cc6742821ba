# %% [markdown]
# # Your first fine-tune
#
# In this chapter you take a language model that was trained on the documentation of twenty-two Python
# packages, show it a library that it has never seen, and measure what it learned. You will read a
# training loop line by line, about twenty of them, and see it proven that the one in `lmtune` does
# exactly the same.
#
# Everything runs in minutes, on two processor cores and without a network. Every result below was
# printed by the cell above it.
#
# You need Python and a little PyTorch: tensors, `nn.Module`, `backward()`. You do not need to know
# what a Transformer is.

# %%
import math

import torch
import torch.nn.functional as F

import lmtune
from lmtune import check, claim, explore, figure, show

# %% [markdown]
# ## The loss fell. Did the model learn?
#
# Here is a first lesson as teaching texts give it. Take a pretrained model, take a sentence about the
# subject it should learn, and train on it. `pocket-mini` is a small GPT-2 that comes with this book;
# its pretraining has seen none of the documentation of NetworkX, a library for graphs. Let us teach it
# NetworkX with one sentence, and watch two losses: the *training loss*, on that sentence, and the
# *validation loss*, on other docstrings of NetworkX, which it is not trained on. (`windows` cuts texts
# into pieces of at most 128 tokens, the form that `fit` and `evaluate` take. What a token and a loss
# are comes next.)

# %% tags=["nbval-ignore-output"]
texts = lmtune.language_modelling("networkx")
mini, tokenizer = lmtune.load("pocket-mini")
validation = lmtune.windows(texts.validation[::4], tokenizer, context=128)

one = lmtune.windows(["NetworkX is a library for the study of graphs."], tokenizer)
history = lmtune.fit(mini, one, steps=60, lr=1e-3,
                     validation=validation, evaluate_every=10)

show(history.plot(), caption="Sixty updates on one sentence.",
     alt="Two curves over sixty updates. The training loss, on the one sentence, falls "
         "steeply to almost zero. The validation loss, on other documentation, does not "
         "fall: it ends higher than it began.")

# %%
first, last = history.evaluations[0].result, history.final
print(f"one sentence:    {history.losses[0]:.1f} at first, {history.losses[-1]:.1f} at last")
print(f"other documents: {first.loss:.1f} at first, {last.loss:.1f} at last")
claim("the training loss, on one sentence, fell below 0.1 nats", history.losses[-1] < 0.1)
claim("sixty updates on one sentence raised the loss on other documents of NetworkX by more than 0.2 nats",
      last.loss > first.loss + 0.2)

# %% [markdown]
# The training loss says: almost perfect. The validation loss says: worse than before we began. Both
# are right. The model has learned one sentence by heart, and paid for it elsewhere.
#
# So a loss that falls is not enough. We need to know what this number measures, what it is to be
# compared with, and on which text. The rest of the chapter answers in this order.
#
# (A word on `claim`: whatever this book asserts about its measurements goes through it. It prints its
# sentence when the measurement bears it out, and stops the notebook with an error when it does not.)

# %% [markdown]
# ## What a language model is
#
# A language model gives a probability to every text. It does so one piece at a time. Write the text
# as a sequence of pieces $x_1, x_2, \ldots, x_T$, called *tokens*; then
#
# $$p(x_1, \ldots, x_T) = \prod_{t=1}^{T} p(x_t \mid x_1, \ldots, x_{t-1}).$$
#
# Here $p(x_t \mid x_1, \ldots, x_{t-1})$ is the probability of token $x_t$ when the tokens before it
# are known. The formula is no approximation, only the chain rule of probability. What the model
# learns is the factor: given the beginning of a text, a probability for every token that could come
# next.
#
# What is a token? Not quite a word:

# %%
_, tokenizer = lmtune.load("pocket")
sentence = "Returns the shortest path between source and target in G."
ids = tokenizer(sentence)["input_ids"]
print(len(sentence), "characters,", len(ids), "tokens")
print("|".join(tokenizer.decode([i]) for i in ids))
print(ids)

# %% [markdown]
# Frequent words are one token, with the blank before them; rarer ones fall into pieces. The
# *vocabulary* of this tokenizer has $V = 4096$ tokens, learned from the pretraining text by *byte-pair
# encoding* ([Sennrich, Haddow and Birch 2016](https://aclanthology.org/P16-1162/); on bytes, as here,
# since GPT-2): begin with single bytes, and merge the pair that occurs most often, again and again,
# until the vocabulary is full. Because it begins with bytes, every text can be written, in any script.
#
# One token is special. `<|endoftext|>` stands between documents in the training text, and for us before
# the first token and after the last one of each document. So the first real token has something before
# it to be predicted from, and the model can say that a text is over.
#
# Now the factor. We give the model the beginning of a sentence and ask for the next token. The model
# returns one number for each of the $V$ tokens, the *logits* $z_1, \ldots, z_V$; the softmax turns
# them into probabilities, $p_i = e^{z_i} / \sum_j e^{z_j}$.

# %% tags=["nbval-ignore-output"]
model, tokenizer = lmtune.load("pocket")
beginning = tokenizer("Returns the shortest path between")["input_ids"]
ids = torch.tensor([[tokenizer.eos_token_id, *beginning]], device=model.device)
with torch.no_grad():
    probabilities = model(ids).logits[0, -1].softmax(-1)
top = probabilities.topk(8)
fig, ax = figure(height=2.8)
names = [repr(tokenizer.decode([i])) for i in top.indices.tolist()]
ax.barh(names[::-1], top.values.tolist()[::-1])
ax.set(xlabel="probability of the next token", xlim=(0, 1))
show(fig, caption="What may follow “Returns the shortest path between”?",
     alt="A bar chart of the eight likeliest next tokens and their probabilities, the "
         "likeliest at the top.")
assert abs(probabilities.sum().item() - 1) < 1e-4

# %% [markdown]
# ## From probabilities to a loss
#
# What does the loss measure? A good model gives a high probability to what really comes next. The
# *loss* of a text is the mean of the negative logarithms of these probabilities,
#
# $$\mathcal{L} = -\frac{1}{T} \sum_{t=1}^{T} \ln p(x_t \mid x_1, \ldots, x_{t-1}),$$
#
# where $x_1, \ldots, x_T$ are the $T$ tokens that are predicted (the end-of-text token that leads the
# text is not one of them). With the natural logarithm the unit is the *nat*. A loss of 0 means that
# every token was predicted with probability 1.
#
# Two other ways to say the same number are easier to read:
#
# - **Perplexity** is $e^{\mathcal{L}}$. A perplexity of 20 means: as uncertain as a fair choice among
#   20 tokens.
# - **Bits per character** is $\mathcal{L} \cdot T / (\ln 2 \cdot C)$ for a text of $C$ characters: how
#   many bits one character costs when the model is used to compress the text. A tokenizer with longer
#   tokens makes each token harder to guess, so losses *per token* of two tokenizers cannot be
#   compared. Bits per character can.
#
# Written out, for the first window of one document:

# %%
example = validation[0]
ids = torch.tensor(example["input_ids"], device=model.device)
with torch.no_grad():
    logits = model(ids[None]).logits[0]
by_hand = -logits.log_softmax(-1)[:-1].gather(1, ids[1:, None]).mean()

claim("the loss by hand equals that of lmtune.evaluate to five digits",
      math.isclose(by_hand.item(), lmtune.evaluate(model, [example]).loss, rel_tol=1e-5))

# %% [markdown]
# The position of each logit matters: the logits at position $t$ have read the tokens up to $t$ and
# predict token $t + 1$. Hence `[:-1]` on one side and `[1:]` on the other.
#
# What is a loss to be compared with? Here is the loss on every fourth validation document of NetworkX,
# for the two models of this book and three baselines: a model that gives every token the same
# probability; one that knows only how frequent each token is, and may count that on NetworkX's own
# train documents; and `pocket`'s architecture with random weights. (In a window's labels, −100 marks
# what is not predicted, such as the leading end-of-text token.)

# %%
train = lmtune.windows(texts.train, tokenizer, context=128)
counts = torch.ones(len(tokenizer))
for window in train:
    predicted = torch.tensor([label for label in window["labels"] if label != -100])
    counts += torch.bincount(predicted, minlength=len(tokenizer))
log_frequency = (counts / counts.sum()).log()
labels = torch.tensor([x for w in validation for x in w["labels"] if x != -100])

untrained, _ = lmtune.load("pocket", pretrained=False)
losses = {
    "every token alike": math.log(len(tokenizer)),
    "token frequencies": -log_frequency[labels].mean().item(),
    "random weights": lmtune.evaluate(untrained, validation).loss,
    "pocket-mini": first.loss,
    "pocket": lmtune.evaluate(model, validation).loss,
}
characters = sum(w["characters"] for w in validation)
print(f"{'':18}  loss  perplexity  bits/character")
for name, loss in losses.items():
    bits = loss * len(labels) / math.log(2) / characters
    print(f"{name:18} {loss:5.2f}  {math.exp(loss):10.0f}  {bits:14.2f}")

# %%
claim("random weights are less than 0.1 nats better than giving every token the same probability",
      losses["random weights"] > losses["every token alike"] - 0.1)
claim("both pretrained models have a loss more than 0.5 nats below that of the token frequencies",
      max(losses["pocket"], losses["pocket-mini"]) < losses["token frequencies"] - 0.5)

# %% [markdown]
# These are the neighbours of every loss in this chapter. On text that it was not trained on, no model
# reaches zero: text that could be predicted with certainty would not need to be written.

# %% [markdown]
# ## The loop, written out
#
# Training changes the weights a little, many times, so that the loss falls. Each time, four things
# happen in this order: compute the loss on a few examples; compute its gradient with respect to every
# weight (`backward`); let the optimizer move the weights against the gradient; and clear the gradient.
#
# The rest is care. The learning rate falls in a straight line to zero, so that the last steps are
# small. The gradient is *clipped*: when its norm exceeds 1 it is scaled back to 1, so that one strange
# batch cannot throw the weights away. The order of the examples is drawn anew for each pass over the
# data, an *epoch*. `collate` pads the rows of a batch to one length and gives the padding the label
# −100, which `cross_entropy` ignores; an exercise below asks you for the heart of it.

# %%
from lmtune.data.batches import collate, in_batches, order


def train_by_hand(model, examples, steps, lr, batch_size):
    optimizer = torch.optim.AdamW(model.parameters(), lr, betas=(0.9, 0.95), weight_decay=0)
    model.train()
    losses, waiting, epoch = [], [], 0
    for step in range(steps):
        if not waiting:
            shuffled = [examples[i] for i in order(len(examples), seed=0, epoch=epoch)]
            waiting, epoch = list(in_batches(shuffled, batch_size)), epoch + 1
        batch = collate(waiting.pop(0), model.device)
        labels = batch.pop("labels")
        logits = model(**batch).logits
        loss = F.cross_entropy(logits[:, :-1].flatten(0, 1), labels[:, 1:].flatten())
        loss.backward()
        torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
        for group in optimizer.param_groups:
            group["lr"] = lr * (1 - step / steps)
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    return losses


# %% [markdown]
# The optimizer is AdamW ([Loshchilov and Hutter 2019](https://arxiv.org/abs/1711.05101)), which keeps
# for each weight a running mean of its gradient and of the gradient's square, and divides the one by
# the root of the other. The chapter on optimization takes it apart; here it is a tool.
#
# ## The same through lmtune
#
# `lmtune.fit` is the same loop with the same defaults. Not "similar": we train two copies, one with
# each, in double precision, and compare every weight.

# %%
a, b = (lmtune.load("pocket-mini")[0].double() for _ in range(2))
few = [e for e in train if len(e["input_ids"]) <= 64][:30]

by_hand = train_by_hand(a, few, steps=8, lr=1e-3, batch_size=8)
history = lmtune.fit(b, few, steps=8, lr=1e-3, batch_size=8)

pairs = zip(a.parameters(), b.parameters())
difference = max((p - q).abs().max().item() for p, q in pairs)
claim("after eight updates every weight by hand is less than 1e-9 from lmtune.fit's", difference < 1e-9)
claim("each of the eight losses by hand is less than 1e-9 from lmtune.fit's",
      max(abs(x - y) for x, y in zip(by_hand, history.losses)) < 1e-9)

# %% [markdown]
# From here on we use `fit`, and know what it does. What it adds (micro-batches, a warm-up, evaluation
# while it trains, errors that say what is wrong) comes in the next chapters.

# %% [markdown]
# ## The fine-tune
#
# On which text should the loss be measured? On text of the same kind that was kept out of training.
# NetworkX's docstrings are split by a hash of each object's name into train, validation and test; train
# documents that nearly repeat a validation or test document are left out, or we would measure memory.
#
# `run` is `fit` one event at a time, so that we can stop at some moments and let the model write. The
# *warm-up* lets the learning rate rise over the first eight updates before it falls; the chapter on
# optimization says why.

# %% tags=["nbval-ignore-output"]
from tqdm.auto import tqdm

print("documents:", *(f"{part} {len(t)}" for part, t in texts._asdict().items()))
prompts = ["Parameters\n----------\nG :", "Returns the shortest path"]
moments = [0, 1, 2, 5, 20, 80]
written = {}

model, tokenizer = lmtune.load("pocket")
before = lmtune.generate(model, tokenizer, prompts[0], max_new_tokens=40)
config = lmtune.Config(steps=80, batch_size=8, lr=1e-3, warmup=8, evaluate_every=20)
history = lmtune.History()
for event in tqdm(lmtune.run(model, train, config, validation), leave=False):
    history.add(event)
    if event.step in moments and (event.step, prompts[0]) not in written:
        for prompt in prompts:
            text = lmtune.generate(model, tokenizer, prompt, max_new_tokens=40)
            written[event.step, prompt] = text

show(history.plot(), caption="Eighty updates on NetworkX's documentation.",
     alt="Training loss over eighty updates, noisy and falling; the validation loss, "
         "measured five times, falls with it and flattens towards the end.")

# %%
start, end = history.evaluations[0].result, history.final
print("          loss  perplexity  bits/character")
for name, result in (("before", start), ("after", end)):
    print(f"{name:8} {result.loss:5.2f}  {result.perplexity:10.1f}  "
          f"{result.bits_per_character:14.2f}")
claim("eighty updates on NetworkX save at least 10 % of the bits per character on its validation part",
      end.bits_per_character < 0.9 * start.bits_per_character)

# %% [markdown]
# Both losses fall together. That is what learning looks like, as opposed to the picture at the top of
# this chapter. And the text? The model was asked to go on after the same prompt, taking the likeliest
# token each time, before the first update and after the last.

# %% tags=["nbval-ignore-output"]
print("BEFORE\n" + before)
print("\nAFTER\n" + written[80, prompts[0]])

# %% [markdown]
# Text is easy to read too much into, so here is a number for the same thing: the loss of the words
# “NetworkX graph” after this prompt, with the prompt itself left out of the loss.

# %%
answer = lmtune.pairs(prompts[:1], [" NetworkX graph"], tokenizer)
answer[0]["labels"][-1] = -100  # not asked: that the text ends after these words
surprise_before = lmtune.evaluate(lmtune.load("pocket")[0], answer).loss
surprise_after = lmtune.evaluate(model, answer).loss
print(f"{surprise_before:.1f} nats a token before, {surprise_after:.1f} after")
claim("after the fine-tune the words “NetworkX graph” cost at least 1 nat a token less than before",
      surprise_after < surprise_before - 1)

# %% [markdown]
# One prompt proves little; the loss on many documents proves more. And one more honest number: we have
# looked at the validation documents several times. The test documents have not been touched, and are
# used once, here.

# %%
test = lmtune.windows(texts.test[::4], tokenizer, context=128)
untouched = lmtune.evaluate(lmtune.load("pocket")[0], test)
adapted = lmtune.evaluate(model, test)
print(f"test, bits per character: {untouched.bits_per_character:.2f} before, "
      f"{adapted.bits_per_character:.2f} after")
claim("on the test documents the fine-tune lowers the loss by more than 0.2 nats a token",
      adapted.loss < untouched.loss - 0.2)

# %% [markdown]
# ## Was it the pretraining?
#
# Perhaps as many updates on NetworkX would teach any network of this shape as much. So we train one
# architecture twice at the same budget: once from the pretrained weights, once from random ones. One
# run of each would not do, for both depend on chance: the order of the examples, and the random weights.
# We take five seeds, pair the runs by seed, and look at the difference. This means ten runs, so the
# smaller `pocket-mini` serves, with forty updates each.
#
# The claim at the end prints the mean difference of the five pairs, pretrained minus random, so a
# negative number is a gain; ± is the half-width of its 95 % interval
# ([paired t-test](https://en.wikipedia.org/wiki/Paired_difference_test)). It holds when the whole
# interval lies beyond the margin asked for.

# %% tags=["nbval-ignore-output", "slow"]
final = {"pretrained": [], "random weights": []}
for seed in tqdm(range(5), desc="seeds", leave=False):
    for name, losses_of in final.items():
        known = name == "pretrained"
        mini, _ = lmtune.load("pocket-mini", pretrained=known, seed=seed)
        run = lmtune.fit(mini, train, steps=40, batch_size=8, lr=2e-3, warmup=4,
                         seed=seed, validation=validation)
        losses_of.append(run.final.loss)

print(f"{'untouched pocket-mini':24} {first.loss:.2f}")
for name, losses_of in final.items():
    print(f"{name:24} " + "  ".join(f"{loss:.2f}" for loss in losses_of))
claim("pretraining is worth at least half a nat a token at the same budget",
      better=final["pretrained"], worse=final["random weights"], margin=0.5)
claim("in each run fine-tuned random weights have a higher loss than pretrained ones left as they were",
      min(final["random weights"]) > first.loss)

# %% tags=["nbval-ignore-output", "slow"]
fig, ax = figure(height=2.4)
for row, (name, losses_of) in enumerate(final.items()):
    ax.plot(losses_of, [row] * 5, "os"[row], label=name)
ax.axvline(first.loss, color="#444444", linestyle=":", label="pretrained, not fine-tuned")
ax.set(xlabel="validation loss after 40 updates (nats per token)", ylim=(-0.6, 1.6))
ax.set_yticks([])
ax.legend(loc="center")
show(fig, caption="Five seeds each, the same budget.",
     alt="Two rows of five points. The pretrained runs stand close together at the "
         "left, with the lower loss; the runs from random weights stand far to the right, "
         "beyond the line of the pretrained model that was not fine-tuned.")

# %% [markdown]
# Fine-tuned from random weights, the network stays behind even the pretrained model that was not
# fine-tuned at all. Whatever pretraining left in the weights, it is worth more than these updates can
# teach.
#
# What this experiment cannot show: that pretraining *always* helps, or how much it helps on text of
# another kind. What the model was pretrained on and what it is adapted to are both documentation in
# English, written in the same few styles. Both runs used one learning rate, tuned for neither. Nor does
# it say what happens with many more updates: the chapter on transfer learning asks how much data
# pretraining is worth.

# %% [markdown]
# ## Explore: what does it write, and when?
#
# Choose a prompt and move through the fine-tune.

# %% tags=["nbval-ignore-output"]
assert len(written) == len(moments) * len(prompts)
names = ["G : ...", "Returns the shortest path ..."]


def page(prompt, step):
    return written[step, prompts[names.index(prompt)]]


explore(page, goal="find the first step at which the text is about graphs",
        prompt=names, step=moments)

# %% tags=["nbval-ignore-output"]
for name, prompt in zip(names, prompts):
    found = [step for step in moments if "graph" in written[step, prompt].lower()]
    print(f"{name:30} writes of a graph at steps {found}")

# %% [markdown]
# ## What tutorials get wrong, measured
#
# Each of these was found in teaching material or in a library; each is measured here.
#
# ### One sentence, three epochs
#
# *Found in teaching texts on fine-tuning.* Three epochs of one sentence are three updates. With the
# usual rate of $5 \cdot 10^{-5}$, do they do anything?

# %%
mini, _ = lmtune.load("pocket-mini")
untouched_one = lmtune.evaluate(mini, one).loss
lmtune.fit(mini, one, epochs=3, lr=5e-5, schedule="constant")
on_one = lmtune.evaluate(mini, one).loss
on_others = lmtune.evaluate(mini, validation).loss
print(f"the sentence:    {untouched_one:.1f} before, {on_one:.1f} after")
print(f"other documents: {first.loss:.1f} before, {on_others:.1f} after")
claim("at rate 5e-5 three epochs of one sentence move the loss on other documents by less than "
      "0.05 nats", abs(on_others - first.loss) < 0.05)

# %% [markdown]
# The sentence became a little cheaper, and the other documents noticed nothing. With a larger rate and
# more updates you get the picture at the top of the chapter instead. One sentence is not a training set.
#
# ### The last batch's loss, printed as the epoch's
#
# *Found in hand-written loops:* `print(f"epoch {epoch}: loss {loss.item()}")` after the inner loop.
# `loss` is then the loss of the last batch. How far apart are single batches?

# %%
shuffled = [validation[i] for i in order(len(validation), seed=0, epoch=0)]
batch_losses = [lmtune.evaluate(model, batch).loss for batch in in_batches(shuffled, 8)]
print(f"batches from {min(batch_losses):.1f} to {max(batch_losses):.1f}, "
      f"mean {end.loss:.1f}; the fine-tune gained {start.loss - end.loss:.1f}")
claim("the losses of single batches, under the same weights, differ by more than 0.3 nats",
      max(batch_losses) - min(batch_losses) > 0.3)

# %% [markdown]
# Which batch comes last is chance. A difference of this size between two "epochs" may come from the
# shuffle alone; compare it with the gain of the whole fine-tune, printed above.
#
# ### Perplexity as `exp(2**loss)`
#
# *Found in a teaching text.* Perplexity is $2^{H}$ when the loss $H$ is in bits, and $e^{\mathcal{L}}$
# when it is in nats. Both at once is neither.

# %%
loss = math.log(20)  # as uncertain as a fair choice among 20 tokens
print(f"exp(loss) = {math.exp(loss):.1f}")
print(f"2 ** (loss in bits) = {2 ** (loss / math.log(2)):.1f}")
print(f"exp(2 ** loss) = {math.exp(2 ** loss):.0f}")
claim("for a fair choice among 20 tokens, exp(2 ** loss) exceeds a thousand",
      math.exp(2 ** loss) > 1000)

# %% [markdown]
# ### A new head on a model that has one
#
# *Found in teaching texts:* a class that takes a GPT-2 and gives it an `lm_head` of its own, a fresh
# `nn.Linear`, although the model came with a trained one. The fresh layer knows nothing. If it is not
# trained (it was never given to the optimizer), all that the model knew is lost on the way out.

# %%
class WithNewHead(torch.nn.Module):
    def __init__(self, language_model):
        super().__init__()
        self.body = language_model
        torch.manual_seed(0)
        config = language_model.config
        self.lm_head = torch.nn.Linear(config.hidden_size, config.vocab_size)
        self.lm_head.to(language_model.device)

    def forward(self, **inputs):
        states = self.body.base_model(**inputs).last_hidden_state
        return type("Output", (), {"logits": self.lm_head(states)})


wrapped = lmtune.evaluate(WithNewHead(lmtune.load("pocket")[0]), validation).loss
print(f"with its own head {losses['pocket']:.1f}, with a new one {wrapped:.1f}")
claim("behind a new, untrained head the pretrained model is worse than giving every "
      "token the same probability", wrapped > losses["every token alike"])

# %% [markdown]
# ### `torchvision` as the source of GPT-2
#
# *Found in a teaching text*, in the list of what to install. `torchvision` holds models for images.
# (Where it is installed, as on Colab, its list of models is searched for a GPT.)

# %%
from importlib.util import find_spec

claim("the class of pocket, a GPT-2, comes from transformers",
      type(model).__module__.startswith("transformers."))
if find_spec("torchvision"):
    from torchvision.models import list_models

    claim("torchvision lists no GPT among its models", not any("gpt" in name for name in list_models()))

# %% [markdown]
# ### A loss that counts labels which are never predicted
#
# *Found in transformers 5.23.0*, after [pull request 46204](https://github.com/huggingface/transformers/pull/46204)
# had mended it for other models.
# The usual recipe gives the token ids themselves as labels, so the first label of each row is one that
# nothing predicts. The library's Trainer counts it all the same for GPT-2, and so divides by too much.
# The shorter the rows, the more it is off, and its evaluation loss is too good. (Models whose class the
# library recognises by its name as a causal language model are counted rightly; GPT-2's class,
# `GPT2LMHeadModel`, it does not recognise.)

# %% tags=["nbval-ignore-output"]
import tempfile

from transformers import PrinterCallback, Trainer, TrainingArguments

short = lmtune.windows([t.split("\n")[0] for t in texts.validation[:40]], tokenizer)
short = [{**row, "labels": row["input_ids"]} for row in short]
with tempfile.TemporaryDirectory() as folder:
    arguments = TrainingArguments(folder, report_to=[], disable_tqdm=True)
    trainer = Trainer(model, arguments, eval_dataset=short, data_collator=collate)
    trainer.remove_callback(PrinterCallback)
    reported = trainer.evaluate()["eval_loss"]
truth = lmtune.evaluate(model, short).loss
print(f"Trainer {reported:.3f}, truth {truth:.3f}: "
      f"{100 * (1 - reported / truth):.1f} % too low")
claim("Trainer's evaluation loss of a GPT-2 on short rows is at least 3 % too low",
      reported < 0.97 * truth, versions={"transformers": "5.23.0"})

# %% [markdown]
# ### Code that no longer runs
#
# *Found in tutorials written for older versions of transformers.* Three lines that were right once.
# Each is run on the installed version, and its error shown.

# %%
def attempt(what, code):
    try:
        code()
        print(f"{what}: runs on this version\n")
    except Exception as error:
        print(f"{what}\n  {type(error).__name__}: {str(error).splitlines()[0]}\n")


def import_adamw():
    from transformers import AdamW


attempt("from transformers import AdamW", import_adamw)
attempt('TrainingArguments(evaluation_strategy="epoch")',
        lambda: TrainingArguments("unused", evaluation_strategy="epoch"))
attempt("Trainer(tokenizer=tokenizer)", lambda: Trainer(model=model, tokenizer=tokenizer))

# %% [markdown]
# | written then | write now |
# |---|---|
# | `from transformers import AdamW` | `from torch.optim import AdamW` |
# | `evaluation_strategy="epoch"` | `eval_strategy="epoch"` |
# | `Trainer(tokenizer=tokenizer)` | `Trainer(processing_class=tokenizer)` |

# %% [markdown]
# ## Quiz
#
# What would you say? Open the choice that you think is right; each tells what would follow from it.
#
# {{quiz:first-fine-tune}}

# %% [markdown]
# ## Exercises
#
# Each has a check that answers back. Run the cell as it stands first: it says that nothing was
# attempted. The solutions are folded; you learn more from the hint of a wrong answer than from them.
#
# ### Bits per character
#
# {{exercise:first-fine-tune/bits-per-character}}
#
# You know the mean loss in nats per token, how many tokens were predicted, and how many characters
# they spell.

# %%
# {{stub:first-fine-tune/bits-per-character}}


check("first-fine-tune/bits-per-character", bits_per_character)

# %% [markdown]
# {{solution:first-fine-tune/bits-per-character}}

# %% [markdown]
# ### The loss of a text
#
# {{exercise:first-fine-tune/token-loss}}
#
# Above, the loss was computed for one window without padding. Now for a batch: rows of different
# lengths, padded, with −100 where a label does not count. Every label that counts weighs the same,
# whichever row it stands in.

# %%
# {{stub:first-fine-tune/token-loss}}


check("first-fine-tune/token-loss", token_loss)

# %% [markdown]
# {{solution:first-fine-tune/token-loss}}

# %% [markdown]
# ### Padding without losing the end
#
# {{exercise:first-fine-tune/mask-padding}}
#
# GPT-2 has no padding token, so many people pad with the end-of-text token and
# then mask "all padding tokens" in the labels. The true end of each text loses its label too, so nothing
# teaches the model to stop. Do better: pad on the right, ignore the padding, and keep the label at the
# true end.

# %%
# {{stub:first-fine-tune/mask-padding}}


check("first-fine-tune/mask-padding", make_labels)

# %% [markdown]
# {{solution:first-fine-tune/mask-padding}}

# %% [markdown]
# ## What to remember
#
# - A language model gives probabilities to the next token; the loss is the mean negative logarithm of
#   the probability of what really came.
# - The loss on the text you train on can fall to nothing while the model gets worse. Measure on text of
#   the same kind that was held out, and look at the test part once.
# - A loss alone says nothing. Put it beside baselines: every token alike, token frequencies, the
#   untouched model.
# - Compare losses per token only under one tokenizer; otherwise bits per character.
# - One run, such as our fine-tune of `pocket`, shows what can happen. To say that one thing is better
#   than another, take several seeds, pair them, and show the interval.
# - Check what your library divides by.
#
# To use your own text, give `lmtune.windows` a list of strings. To use another model, change the name:
# `lmtune.load("gpt2")` loads from the Hub where there is a network, and
# `lmtune.load("path/to/folder")` a model that you have saved. A larger model wants a smaller learning
# rate; start again from a fresh look at the two losses.
#
# ## Further reading
#
# - C. E. Shannon, *Prediction and Entropy of Printed English*, Bell System Technical Journal 30 (1951):
#   bits per letter, measured with people as the language model.
# - A. Radford et al., [*Language Models are Unsupervised Multitask
#   Learners*](https://cdn.openai.com/better-language-models/language_models_are_unsupervised_multitask_learners.pdf)
#   (2019): GPT-2.
# - J. Howard and S. Ruder, [*Universal Language Model Fine-tuning for Text
#   Classification*](https://aclanthology.org/P18-1031/) (2018): fine-tuning a pretrained language model
#   for tasks with few labels.
# - D. Jurafsky and J. H. Martin, [*Speech and Language
#   Processing*](https://web.stanford.edu/~jurafsky/slp3/), the chapters on n-gram models and on large
#   language models.
