"""The training loop: a version's samples and a recipe in, weights out.

Knows models, datasets and the bundle's preprocessing; knows no projects, users, HTTP, SQL or Ray.
"""
