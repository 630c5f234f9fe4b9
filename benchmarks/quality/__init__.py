"""The quality of the methods: pages with known ink, other libraries, readers, tables."""
