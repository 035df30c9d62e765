"""Pairs as TFRecord shards, for sets larger than memory."""
