"""What changed between two locks: computed once, rendered many times."""
