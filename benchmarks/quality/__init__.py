"""How good the methods are: pages with known ink, other libraries, readers, tables."""
