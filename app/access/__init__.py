"""Access: identify clients by token or address, and limit the share of the service each may use."""
