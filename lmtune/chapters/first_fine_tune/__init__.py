"""The exercises of the chapter "first fine-tune": the loss, its unit, and its labels."""

from lmtune.chapters.first_fine_tune import bits_per_character, mask_padding, token_loss

#: In their order on the page.
EXERCISES = [bits_per_character.EXERCISE, token_loss.EXERCISE, mask_padding.EXERCISE]
