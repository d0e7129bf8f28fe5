"""The council: several members propose edits to one training script, vote blind, and a measurement settles every vote.

Start with `council.session` for how a night runs, or `council --help` for how to run one.
"""

__version__ = "0.1.0"
