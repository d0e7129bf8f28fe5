"""Views: the rows of the store as plain data, for any face.

What: pure functions from a store to frozen dataclasses, and from those to the objects that `--json` prints. Why: the
terminal, the pages and the report must say the same thing in the same words. How to extend: a new view is one module
here that only reads; a new face imports it and computes nothing itself.
"""
