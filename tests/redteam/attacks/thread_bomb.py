"""Starts threads without end.

must: contained
budget: 1
"""


def before(model, bench):
    import threading

    for _ in range(100_000):
        threading.Thread(target=time.sleep, args=(600,), daemon=True).start()
