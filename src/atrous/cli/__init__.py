"""The terminal: arguments in, tables and progress out. Starts servers and workers; holds no rules."""
