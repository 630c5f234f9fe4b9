"""Run the application and LocalStack on this machine, and check that they can run."""
