# %% [markdown]
# # Capstone: A recipe on a text of your own
#
# *Challenge, about 120 minutes: 60 for the four parts, 10 that the computer needs, the rest for your
# text, reading and the question.*
#
# You bring a text: notes, minutes, a manual, a novel. A small model shall learn it, by a recipe as one
# finds them: a warm-up, a falling rate, a moving average of the weights, all weights trained, stopped
# early. Which of these pieces does your text need? The figure that decides when to stop has been looked
# at again and again, so it cannot be the one you report. You will divide the text into three parts,
# compute which gain is more than luck, and then take the pieces out, one at a time.
#
# Your functions are graded on other inputs than those of the checks, drawn for you alone, so a
# neighbour's numbers do not pass. Keep their names; write what they need into this notebook. What
# they give back must be numbers, text or lists. The package holds none of the four, so calling it is
# fine. `check` says at once what is wrong, `hint` helps one step at a time, and the card at the end
# says how far you have come. Nothing here needs a network or a GPU.
#
# Set your id first; the instructor's list decides who you are, and this cell only draws your data.

# %%
STUDENT_ID = "example"

# %%
import random

import lmtune
from lmtune import card, check, hint, passed
from lmtune.chapters.homework import own_text
from lmtune.data.docstrings import HELD_OUT, extract
from lmtune.data.text_files import read

# %% [markdown]
# ## Your text
#
# Write the path of a text file or of a folder between the quotation marks: `.txt`, `.md`, `.rst`, or
# `.jsonl` with a `text` in each line; on Colab upload it first. It needs 50,000 characters, about 25
# pages. A text of more than 1,000 characters is cut into documents where a paragraph ends, and of a long
# text some 60,000 characters are drawn with your id. Without a path you get the documentation of a
# library that the model has not read. Do not bring what must stay private: your outputs go out with the notebook.

# %% tags=["nbval-ignore-output"]
MY_TEXT = ""


def documentation():
    """Docstrings of a library, or a manual that nobody wrote where there is none."""
    library = random.Random(f"library of {STUDENT_ID}").choice(HELD_OUT)
    try:
        texts = [document.text for document in extract(library, progress=False)]
    except ValueError:
        return own_text.made_up(STUDENT_ID)
    return [text for text in texts if 200 < len(text) <= own_text.DOCUMENT]

# %% tags=["nbval-ignore-output"]
try:
    texts = read(MY_TEXT) if MY_TEXT else documentation()
    documents = own_text.documents(texts, STUDENT_ID)
except (OSError, ValueError) as said:
    documents = []
    print(said)
print(len(documents), "documents with", sum(map(len, documents)), "characters")

# %% [markdown]
# ## Part 1. Three parts that are kept apart (10 points)
#
# {{exercise:homework/three-parts}}
#
# The model trains on the first part. The second decides when to stop, and which rate is best. The third
# is looked at once.
#
# `hint("homework/three-parts")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/three-parts}}


check("homework/three-parts", three_parts)

# %% [markdown]
# ## Part 2. A baseline that cannot read (10 points)
#
# {{exercise:homework/unigram-bits}}
#
# Any language model must beat one that only knows which tokens are frequent.
#
# `hint("homework/unigram-bits")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/unigram-bits}}


check("homework/unigram-bits", unigram_bits)

# %% [markdown]
# ## Part 3. Which gain is more than luck? (10 points)
#
# {{exercise:homework/smallest-gain}}
#
# Early stopping asks whether the last evaluation was better. With few documents a small gain says more
# about these documents than about the model.
#
# `hint("homework/smallest-gain")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/smallest-gain}}


check("homework/smallest-gain", smallest_gain)

# %% [markdown]
# ## Part 4. What a piece contributes (10 points)
#
# {{exercise:homework/contribution}}
#
# Would the piece save bits on other documents of the same kind as well? Draw documents from yours, with
# repeats, and see how much the figure moves.
#
# `hint("homework/contribution")` opens a hint, one more each time it is called.

# %%
# {{stub:homework/contribution}}


check("homework/contribution", contribution)

# %% [markdown]
# ## The experiment
#
# First the three parts, and what they cost before any training. It is not graded; the open question asks
# what you see.

# %%
import copy
import math

from tqdm.auto import tqdm

from lmtune import figure, show
from lmtune.chapters.homework import HOMEWORK
from lmtune.notebook.claims import paired_interval
from lmtune.training.history import Evaluated

# %% tags=["nbval-ignore-output"]
base, tokenizer = lmtune.load("pocket-mini")
ready = passed(*(f"homework/{part.id}" for part in HOMEWORK["capstone"])) and documents


def losses(model, texts):
    """For each document its summed loss in nats, and the number of its labels."""
    rows = [lmtune.windows([text], tokenizer, context=64) for text in texts]
    seen = [lmtune.evaluate(model, row, progress=False) for row in rows]
    return [one.loss * one.labels for one in seen], [one.labels for one in seen]

# %% tags=["nbval-ignore-output", "slow"]
if not ready:
    print("Pass the four parts and bring a text first: what follows works with both.")
else:
    draw = random.Random(f"parts of {STUDENT_ID}")
    parts = three_parts(documents, [draw.random() for _ in documents])
    training, choosing, reporting = ([documents[i] for i in part] for part in parts)
    print(f"{len(training)} documents to train on, {len(choosing)} to choose with,",
          f"{len(reporting)} to report")
    if min(map(len, parts)) < 8:
        ready = False
        print("One part is too small, for the text repeats itself; bring another one.")

# %% tags=["nbval-ignore-output", "slow"]
if ready:
    length = [len(text) for text in reporting]
    ids = [[row + [0] for row in tokenizer(texts, verbose=False)["input_ids"]]
           for texts in (training, reporting)]
    before = sum(losses(base, reporting)[0]) / math.log(2) / sum(length)
    unigrams = unigram_bits(*ids, len(tokenizer), sum(length))
    print(f"bits per character: before training {before:.3f}, unigrams {unigrams:.3f}")

# %% [markdown]
# The model reads windows of 64 tokens. Documents that are not alike can still share a whole window, such as
# a short ending; `lmtune.disjoint` takes what the choosing part has out of the training.

# %% tags=["nbval-ignore-output", "slow"]
if ready:
    held = lmtune.windows(choosing, tokenizer, context=64)
    every = lmtune.windows(training, tokenizer, context=64)
    train = lmtune.disjoint(every, held)
    print(f"{len(train)} windows to train on; {len(every) - len(train)} were taken out")

# %% [markdown]
# The recipe, and each piece taken out: a constant rate for the falling one, no warm-up, no average, and
# LoRA in place of all weights.

# %%
def prepared(without, seed):
    """The model, of which LoRA alone trains where "all weights" are taken out."""
    model = copy.deepcopy(base)
    if without == "all weights":
        lmtune.add_lora(model, rank=8, targets=("c_attn", "c_fc"), seed=seed)
    return model

# %%
PIECES = ("falling rate", "warm-up", "average", "all weights")


def recipe(without, lr, seed, **stopping):
    return lmtune.Config(
        steps=60, batch_size=8, evaluate_every=10, lr=lr, seed=seed,
        schedule="constant" if without == "falling rate" else "linear",
        warmup=0 if without == "warm-up" else 6,
        ema=None if without == "average" else 0.8,
        **stopping)

# %% [markdown]
# A pilot run says which gain early stopping may believe. `lmtune.run` gives an event after each update and
# each evaluation, and at an evaluation the model can be looked at. Its seed is used for nothing else.

# %% tags=["nbval-ignore-output", "slow"]
if ready:
    model, pilot = prepared("nothing", 100), recipe("nothing", 6e-4, 100)
    events = lmtune.run(model, train, pilot, held)
    looks = [losses(model, choosing) for it in events if isinstance(it, Evaluated)]
    for (one, labels), (two, _) in zip(looks, looks[1:]):
        gained = (sum(one) - sum(two)) / sum(labels)
        min_gain = smallest_gain(one, two, labels)
        print(f"gained {gained:+.4f} nats per label, {min_gain:.4f} may be luck")

# %% [markdown]
# The last of these is `min_delta` from here on: a run stops when its loss on the choosing part has not
# fallen by more than that in two evaluations. (It keeps the weights of its best one.) Each way of training
# gets its own rate, the best of a list on the choosing part; *an edge* means that it was the first or the
# last of its list. Then it runs with five seeds, which order the documents, and is measured on the
# reporting part.

# %%
def fitted(without, lr, seed):
    """The trained model, its best loss on the choosing part, and the updates made."""
    model, settings = prepared(without, seed), recipe(
        without, lr, seed, patience=2, min_delta=min_gain)
    history = lmtune.fit(model, train, settings, validation=held, progress=False)
    least = min(event.result.loss for event in history.evaluations)
    return model, least, len(history.steps)

# %% tags=["nbval-ignore-output", "slow"]
RATES = {without: (1.5e-4, 3e-4, 6e-4, 1.2e-3) for without in ("nothing", *PIECES)}
RATES["all weights"] = (4e-3, 8e-3, 1.6e-2)
if ready:
    bits, rates, made = {}, {}, {}
    for without in tqdm(RATES, leave=False):
        found = {lr: fitted(without, lr, 100)[1] for lr in RATES[without]}
        rates[without] = lr = min(found, key=found.get)
        runs = [fitted(without, lr, seed) for seed in range(5)]
        costs = [losses(run[0], reporting)[0] for run in runs]
        bits[without] = [[x / math.log(2) for x in run] for run in costs]
        made[without] = [run[2] for run in runs]

# %% tags=["nbval-ignore-output", "slow"]
if ready:
    resamples = [draw.choices(range(len(length)), k=len(length)) for _ in range(400)]
    gives = {piece: contribution(bits["nothing"], bits[piece], length, resamples)
             for piece in PIECES}
    whole = {way: [sum(run) / sum(length) for run in bits[way]] for way in bits}
    print(f"the recipe: {sum(whole['nothing']) / 5:.3f} bits per character,",
          f"rate {rates['nothing']:g}, updates {made['nothing']}")

# %% tags=["nbval-ignore-output", "slow"]
if ready:
    for piece, (value, low, high) in gives.items():
        seeds = paired_interval(whole[piece], whole["nothing"])
        print(f"{piece} contributes {value:+.4f},",
              f"over documents {low:+.4f} to {high:+.4f},")
        first, *_, last = RATES[piece]
        edge = " (an edge)" if rates[piece] in (first, last) else ""
        print(f"   over seeds ± {seeds.half_width:.4f};",
              f"without it rate {rates[piece]:g}{edge}, updates {made[piece]}")

# %% tags=["nbval-ignore-output", "slow"]
if ready:
    fig, ax = figure(height=2.6)
    for row, (value, low, high) in enumerate(gives.values()):
        ax.errorbar([value], [row], xerr=[[value - low], [high - value]], fmt="o")
    ax.axvline(0, linestyle=":", color="#444444")
    ax.set(yticks=range(4), yticklabels=PIECES, xlabel="bits per character saved")
    said = [f"{piece} {v:+.3f}, from {low:+.3f} to {high:+.3f}"
            for piece, (v, low, high) in gives.items()]
    show(fig, caption="What each piece saves, with its 95 % interval over documents.",
         alt="Bits per character saved: " + "; ".join(said) + ".")

# %% [markdown]
# ## Open question (8 points)
#
# The falling rate, the warm-up, the moving average, training all weights: which piece of the recipe would
# you leave out for your text, and which not? Give what each contributed, and what your figures do not
# show.
#
# How it is marked:
#
# - 3 points: gives each piece's contribution with its interval, and beside it the model before training
#   and the unigrams
# - 3 points: keeps or leaves out by the interval and the spread over seeds, and calls what holds zero not
#   resolved
# - 2 points: says what is not shown: pieces were taken out one at a time, at one budget, on one text
#
# Write your answer below, in ten sentences at most. Leave the words “Your answer” in place.

# %% [markdown]
# **Your answer:**

# %% [markdown]
# ## Before you hand in
#
# Save this notebook and let it be read as the grader will read it: in a terminal with
# `lmtune homework check capstone.ipynb`, or here with `lmtune.check_notebook("capstone.ipynb")`; the name is the one
# under which you saved it. It says which cells count, and whether each part passes on its own.

# %% [markdown]
# ## How far you have come

# %%
card("homework/capstone")
