"""The inference engine: a bundle and a picture in, a label mask and its confidence out.

Knows numpy, OpenCV and one inference library per backend file; knows no torch and not how a model was trained.
"""
