"""The machine that builds: its accelerators, and the tools it compiles with."""
