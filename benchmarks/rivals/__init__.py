"""The pipelines that others would write, for comparison: as tutorials show them, and the least."""
