"""Sleeps for ever when the model is rebuilt for scoring.

must: timeout
eval: 2
"""


def at_build(bench):
    if in_score_box(bench):
        time.sleep(600)
