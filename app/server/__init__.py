"""The HTTP server: sockets, the strict request parser, and bounds on what a client may hold."""
