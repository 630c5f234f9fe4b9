"""AWS: clients, error translation, and the setup of buckets and queues."""
