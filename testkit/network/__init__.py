"""HTTP clients, HTTP servers and ports on loopback."""
