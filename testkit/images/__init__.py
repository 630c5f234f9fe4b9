"""Draw pages and photographs with known ink, and write them in every format that is read."""
