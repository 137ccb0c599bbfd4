"""The store of verified wheels, and the isolated environments made from it."""
