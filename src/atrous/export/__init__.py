"""Weights -> bundle, compared with the network they came from.

Knows models and the runtime; knows no training and no projects.
"""
