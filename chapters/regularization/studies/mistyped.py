"""What augmentation is worth on documents full of typing errors: python -m chapters.regularization.studies.mistyped"""

from __future__ import annotations

from chapters.regularization.studies import augmenting, labels
from studies import protocol

DESIGN = augmenting.design("mistyped", "documents full of typing errors", {"typing errors": 1.0}, 170)

if __name__ == "__main__":
    protocol.conduct(DESIGN, labels.run, labels.texts)
