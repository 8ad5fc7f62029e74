"""Evaluation: how well predictions agree with labels, by one rule that travels with every score.

Knows numpy pictures and masks and a class map; knows no torch, no engine and not how the model was trained.
"""
