"""Rules of workspaces, keys, projects, versions, trainings and models.

Knows its nouns and the ports behind which all state lies; knows no FastAPI, SQLAlchemy or torch.
"""
