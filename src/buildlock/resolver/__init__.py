"""What fits together, and why nothing does. Pure: it is handed what indexes offer."""
