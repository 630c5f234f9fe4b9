"""The operators' commands: `reconcile`, `redrive`, `announce-again` and `watch`."""
