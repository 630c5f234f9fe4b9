"""The costs of the API and of the worker by themselves."""
