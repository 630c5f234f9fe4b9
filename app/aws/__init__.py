"""AWS: clients, the meaning of their errors, buckets, queues and their policies."""
