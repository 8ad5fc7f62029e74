"""The HTTP room: routes that Roboflow's clients already speak, over the ports of a workspace.

Knows FastAPI, keys and replies; knows no SQL, no torch and no rules ("may this job start?").
"""
