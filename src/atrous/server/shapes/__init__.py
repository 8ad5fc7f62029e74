"""What clients of the platform API read of projects and versions, key by key."""
