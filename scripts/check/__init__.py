"""Check the files in deploy/ and the contents of the image."""
