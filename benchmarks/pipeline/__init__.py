"""Compare pipelines from upload to announcement, in an open loop."""
