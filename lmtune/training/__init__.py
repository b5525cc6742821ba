"""The loop, and the parts that it calls."""
