"""A folder for PYTHONPATH, whose `sitecustomize` records the AWS calls of test processes."""
