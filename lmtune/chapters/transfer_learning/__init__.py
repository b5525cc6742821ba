"""The exercises of the chapter "transfer learning": heads, LoRA, rates, masks, new rows, and a choice."""

from lmtune.chapters.transfer_learning import layer_rates, lora, mask_prompt, nearest_base, new_rows, pool_last

#: In their order on the page.
EXERCISES = [
    pool_last.EXERCISE,
    lora.EXERCISE,
    layer_rates.EXERCISE,
    mask_prompt.EXERCISE,
    new_rows.EXERCISE,
    nearest_base.EXERCISE,
]
