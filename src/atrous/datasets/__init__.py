"""Datasets: formats in, labels checked and brought to our ids, splits, and the content of versions.

Knows numpy pictures and masks; knows no torch, and not who asks.
"""
