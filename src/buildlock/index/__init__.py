"""What the world offers: HTTP, simple pages, and which index may serve which package."""
