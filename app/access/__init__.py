"""Access: who a client is (tokens, addresses) and what share of the service it may use."""
