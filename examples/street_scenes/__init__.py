"""Drawn street scenes with exact label masks: a data set that anybody may have."""
