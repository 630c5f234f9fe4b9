"""The engine: its speed, its worst-case costs, and its PNG code compared with libpng."""
