"""The experiments of one round as a graph: run → repair → verdict → keep → settle.

`run` may come twice: after the author of an early crash mended it, and after a verdict when two failures running ask
for a check of the machine. Every node reads what is missing from the rows and adds only that, so the graph can be run
again at any moment. To add a step: a node here, its rows in the store, a line in `docs/vocabulary.md`.
"""

from __future__ import annotations

from typing import Any, TypedDict

from langgraph.graph import END, START, StateGraph

from council.room import Room
from council.running import due, repair_crash, repairable, run_job
from council.settling import keep_round, settle_round, verdict_round


class Experiments(TypedDict, total=False):
    """The state of a round's experiments."""

    round: int


def build(room: Room) -> Any:
    """The compiled graph; `await graph.ainvoke({"round": n})` runs or finishes the experiments of round n."""
    graph = StateGraph(Experiments)

    async def run(state: Experiments) -> Experiments:
        job = due(room, state["round"])
        if job:
            await run_job(room, job)
        return {}

    async def repair(state: Experiments) -> Experiments:
        await repair_crash(room, state["round"])
        return {}

    async def verdict(state: Experiments) -> Experiments:
        verdict_round(room, state["round"])
        return {}

    async def keep(state: Experiments) -> Experiments:
        keep_round(room, state["round"])
        return {}

    async def settle(state: Experiments) -> Experiments:
        settle_round(room, state["round"])
        return {}

    async def after_run(state: Experiments) -> str:
        if repairable(room, state["round"]):
            return "repair"
        return "run" if due(room, state["round"]) else "verdict"

    async def after_settle(state: Experiments) -> str:
        return "run" if due(room, state["round"]) else END

    for node in (run, repair, verdict, keep, settle):
        graph.add_node(node.__name__, node)
    graph.add_edge(START, "run")
    graph.add_conditional_edges("run", after_run, ["repair", "run", "verdict"])
    graph.add_edge("repair", "run")
    graph.add_edge("verdict", "keep")
    graph.add_edge("keep", "settle")
    graph.add_conditional_edges("settle", after_settle, ["run", END])
    return graph.compile()
