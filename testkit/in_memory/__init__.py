"""The application with storage and queues in memory."""
