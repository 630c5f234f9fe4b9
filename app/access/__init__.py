"""Access: identify clients by token or address, and limit what each, and all together, may use."""
