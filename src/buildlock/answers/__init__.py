"""Answers that are remembered: what a command said, and all that it was made from."""
