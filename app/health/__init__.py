"""Health: one monitor of S3, SQS and the worker, and the probes that report its findings."""
