"""The lockfile: model, reader, writer, freshness. Pure."""
