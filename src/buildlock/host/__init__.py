"""The machine that builds: its accelerators."""
