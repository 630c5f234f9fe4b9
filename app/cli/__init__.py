"""The command line: the client's `upload`, and the operators' verbs."""
