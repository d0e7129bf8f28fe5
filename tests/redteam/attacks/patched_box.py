"""Replaces the functions of the box that loads and answers, in its own process.

must: harmless
"""


def after(model, bench):
    import lab.box
    import lab.scoring

    lab.scoring.ScorePhase = lab.box.score_box = None
