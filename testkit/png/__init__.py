"""Write small PNGs from the specification, and read PNGs with libpng."""
