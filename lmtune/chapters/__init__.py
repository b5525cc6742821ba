"""The chapters' rooms in the package: exercises and recorded results, and what finds them."""

from lmtune.chapters.records import Study, recorded, studied

__all__ = ["Study", "recorded", "studied"]
