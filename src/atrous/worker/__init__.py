"""Jobs: each takes ports and a task, and calls training, export and evaluation. Knows no HTTP and no terminal."""
