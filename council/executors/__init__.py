"""Where experiments run: an executor takes a file and gives back the referee's numbers. `local.py` uses this machine.

To add one: subclass `Executor` (`base.py`), name it in `council.yaml` by dotted path or under the entry point
`council.executors`, and pass its contract test.
"""

EXECUTORS: dict[str, str] = {"local": "council.executors.local:LocalExecutor"}
