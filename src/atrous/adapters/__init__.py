"""Real twins of the workspace's ports: SQL, disk, clock. Knows no rules."""
