"""The verbs: what the commands do, and what the Python API calls."""
