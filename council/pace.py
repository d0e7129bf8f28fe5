"""How long a round waits for its members, said before it starts: from replies that were timed, or from a guess.

Members are asked at once, but each answers its questions of a round one after the other, so a round takes about as long
as its slowest member. How to extend: whatever else a round waits for is one more number in `a_round`.
"""

from __future__ import annotations

from collections.abc import Mapping

from council.members.base import Member
from council.store import Store

Timed = dict[tuple[str, str | None], float]

AROUND = 10.0
"""Seconds of a round besides answers and experiments: mostly the tries of the guard."""
QUESTIONS = 4
"""What a language model is asked in an ordinary round: to propose, to comment, to revise, to rank."""
ANSWER = 60.0
"""Seconds of an answer as long as none was timed. A guess."""
RECENT = 400
"""How many calls are looked back on."""

TIMED = """
SELECT c.member, c.model, sum(r.seconds) / count(DISTINCT c.session || ' ' || c.round) AS seconds
FROM calls c JOIN replies r ON r.call = c.id
WHERE c.id > (SELECT max(id) FROM calls) - ? GROUP BY c.member, c.model
"""


def timed(store: Store) -> Timed:
    """Seconds of answers in a round by (member, model), over the last calls of all sessions."""
    return {(row["member"], row["model"]): float(row["seconds"]) for row in store.query(TIMED, RECENT)}


def a_round(members: Mapping[str, Member], known: Timed) -> float:
    """Seconds that the deliberation of a round takes with these members."""
    asked = [(name, member.model) for name, member in members.items() if member.is_llm]
    return AROUND + max((known.get(key, QUESTIONS * ANSWER) for key in asked), default=0.0)
