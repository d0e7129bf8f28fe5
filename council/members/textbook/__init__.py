"""`textbook`: what the literature would try next, as a member.

What: a catalogue of edits of train.py, helpful and harmful ones, each located by syntax and with an honest prior. Why:
a newcomer's council has something to argue about without a key, and a language model must beat what is in every
textbook. How to extend: add an edit to a module of this package, see `catalogue`. No key, no network.
"""

from __future__ import annotations

from council.members.textbook.member import EDITS, TextbookMember

__all__ = ["EDITS", "TextbookMember"]
