"""Sleeps for ever while it is read.

must: timeout
budget: 0.4
"""

time.sleep(600)
