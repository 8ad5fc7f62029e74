"""Lists of class names, in every shape that people have them."""
