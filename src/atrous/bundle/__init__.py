"""The contract between export and runtime: the folder a model is shipped as, and the preparation of its pictures.

Knows names, sizes, files of a bundle and pixels; knows no torch, HTTP, SQL or dataset.
"""
