"""The words every room shares: class maps, sizes, ids, errors. Knows no torch, HTTP, SQL or files."""
