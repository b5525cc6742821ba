"""The engine of exercises: their form, the cases, and how answers are compared."""
