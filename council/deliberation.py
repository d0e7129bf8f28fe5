"""One deliberation as a graph: brief → propose → guard → repair → debate → rank → tally.

LangGraph wires the fan-out over members and the joins; it stores nothing. Each node first looks for its rows and does
only what is missing, so running the graph again after a crash goes on at the first missing step. State carries ids and
flags, never texts. Nodes and routes are async because LangGraph would run plain functions in a thread of their own,
and the store belongs to one thread. To add a step: a node here, its rows in the store, a line in `docs/vocabulary.md`.
"""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph
from langgraph.types import Send

from council import records
from council.proposing import debate_round, guard_round, propose_turn, repair_turn
from council.room import Room
from council.store import now
from council.voting import rank_turn, tally_round


class Deliberation(TypedDict, total=False):
    """The state of a deliberation. `member` and `proposal` are set only inside a fan-out branch."""

    round: int
    debated: bool
    member: str
    proposal: int


def build(room: Room) -> Any:
    """The compiled graph; `await graph.ainvoke({"round": n})` runs or finishes round n."""
    graph = StateGraph(Deliberation)

    async def brief(state: Deliberation) -> Deliberation:
        _open_round(room, state["round"])
        return {}

    async def propose(state: Deliberation) -> Deliberation:
        await propose_turn(room, state["round"], state["member"])
        return {}

    async def guard(state: Deliberation) -> Deliberation:
        await guard_round(room, state["round"])
        return {}

    async def repair(state: Deliberation) -> Deliberation:
        await repair_turn(room, state["round"], state["proposal"])
        return {}

    async def debate(state: Deliberation) -> Deliberation:
        await debate_round(room, state["round"])
        return {"debated": True}

    async def rank(state: Deliberation) -> Deliberation:
        await rank_turn(room, state["round"], state["member"])
        return {}

    async def tally(state: Deliberation) -> Deliberation:
        tally_round(room, state["round"])
        return {}

    async def to_members(state: Deliberation) -> list[Send] | str:
        return [Send("propose", {"round": state["round"], "member": m}) for m in sorted(room.members)] or "guard"

    async def after_guard(state: Deliberation) -> list[Send] | str:
        broken = [] if state.get("debated") else _to_repair(room, state["round"])
        if broken:
            return [Send("repair", {"round": state["round"], "proposal": p}) for p in broken]
        if not state.get("debated"):
            return "debate"
        return [Send("rank", {"round": state["round"], "member": j}) for j in room.judges] or "tally"

    for node in (brief, propose, guard, repair, debate, rank, tally):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "brief")
    graph.add_conditional_edges("brief", to_members, ["propose", "guard"])
    graph.add_edge("propose", "guard")
    graph.add_conditional_edges("guard", after_guard, ["repair", "debate", "rank", "tally"])
    graph.add_edge("repair", "guard")
    graph.add_edge("debate", "guard")
    graph.add_edge("rank", "tally")
    graph.add_edge("tally", END)
    return graph.compile()


def _open_round(room: Room, round_: int) -> None:
    if room.store.one("rounds", session=room.sid, round=round_):
        return
    found = records.book(room.store, room.sid)
    assert found is not None, "round 0 books the baseline"
    book, row = found
    with room.store.atomic():
        room.store.insert(
            "rounds",
            {"session": room.sid, "round": round_, "at": now(), "parent": book.commit, "book": row["id"]},
        )
    room.say("round", f"round {round_}: {book.b:.5f} is booked, σ {row['sigma']:.5f}", round=round_)


def _to_repair(room: Room, round_: int) -> list[int]:
    """First proposals that the guard refused and whose author has not been asked to mend them."""
    checks = records.checks(room.store, room.sid, round_)
    asked = {r["replaces"] for r in room.store.rows("proposals", session=room.sid, round=round_)}
    silent = {o["member"] for o in room.store.rows("outcomes", session=room.sid, round=round_, step="repair")}
    return [
        row["id"]
        for row in room.store.rows("proposals", session=room.sid, round=round_, step="propose")
        if row["id"] in checks and not checks[row["id"]]["valid"]
        if row["id"] not in asked and row["member"] not in silent
    ]
