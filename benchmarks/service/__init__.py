"""What the API and the worker cost by themselves."""
