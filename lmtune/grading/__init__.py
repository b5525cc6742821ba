"""Homework: what an instructor writes, and how a class is graded."""
