"""The exercises of the chapter "optimization": an update, a rate, a norm, a sum, a leak, a budget."""

from lmtune.chapters.optimization import accumulate, adamw_update, clip_norm, find_leak, fit_memory, warmup_cosine

#: In their order on the page.
EXERCISES = [
    adamw_update.EXERCISE,
    warmup_cosine.EXERCISE,
    clip_norm.EXERCISE,
    accumulate.EXERCISE,
    find_leak.EXERCISE,
    fit_memory.EXERCISE,
]
