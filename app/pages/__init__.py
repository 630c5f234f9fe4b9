"""The HTML pages and their languages."""
