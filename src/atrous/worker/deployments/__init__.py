"""Dedicated deployments of this host: processes of their own, brought to what the store says they are to be."""
