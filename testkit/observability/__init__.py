"""Read the logs, metrics and traces of the application."""
