"""Labels that are drawn: polygons, run lengths, brushes and shapes, and the files that hold them."""
