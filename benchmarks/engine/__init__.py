"""The engine: its speed, what it costs at the extremes, its PNG code beside libpng."""
