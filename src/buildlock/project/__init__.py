"""What the user wrote: pyproject.toml, uv's and pip's settings, as frozen values."""
