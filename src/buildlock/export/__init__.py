"""One lock, in other tools' formats. Pure."""
