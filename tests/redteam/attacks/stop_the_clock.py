"""Stops time: replaces the clocks of Python, and works on.

must: timeout
budget: 0.5
"""


def before(model, bench):
    time.monotonic = time.time = time.perf_counter = time.process_time = lambda: 0.0
    while True:
        learn(model, torch.zeros(8, 129, dtype=torch.long))
