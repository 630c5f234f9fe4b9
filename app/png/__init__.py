"""The PNG file format: check, decode to gray, write."""
