"""The page: drive it in Chromium, and find its JavaScript."""
