"""What advisories say of a lock: one model, many renderings."""
