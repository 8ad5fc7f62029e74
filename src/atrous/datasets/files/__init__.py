"""Files of a dataset: folders and archives as trees of names, and what kind a file is."""
