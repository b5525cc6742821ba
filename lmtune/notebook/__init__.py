"""What the book's cells say and draw."""
