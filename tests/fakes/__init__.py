"""In-memory twins of the ports, and small real bundles."""
