from support.backend_tree import install, tree

__all__ = ["install", "tree"]
