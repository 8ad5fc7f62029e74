"""Measurements that a person runs and reads; no test depends on them."""
