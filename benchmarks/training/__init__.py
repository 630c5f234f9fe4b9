"""Draw pages whose ink is known, train the network of `auto` on them, write its weights."""
