"""What the project will run with: its runtime locks, or an environment that is installed already."""
