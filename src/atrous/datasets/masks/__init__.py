"""Labels that are pictures, and how they are found beside their pictures."""
