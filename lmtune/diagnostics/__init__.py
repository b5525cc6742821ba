"""What is measured about a model or a run before one relies on it."""
