"""The parts around `app.worker`: polling, leases, batches, breaker, admission, sandbox."""
