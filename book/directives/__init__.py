"""What Sphinx is told: the theme's changes and the pages that are collected."""
