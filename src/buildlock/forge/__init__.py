"""Code hosts: the one comment that a pull request gets."""
