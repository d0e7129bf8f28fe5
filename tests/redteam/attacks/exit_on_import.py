"""Exits before it has built anything.

must: crash
"""

os._exit(0)
