"""The machinery around `app.worker`: polling, leases, batches, breaker, admission, sandbox."""
