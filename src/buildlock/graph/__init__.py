"""What is needed by what in a lock: the graph of a section, and answers drawn from it."""
