"""The state of an image, read from and written to the objects in the two buckets."""
