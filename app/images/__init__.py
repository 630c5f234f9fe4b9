"""The state of each image, stored as objects in the two buckets."""
