"""The queueing model of a fleet on AWS, and what it projects."""
