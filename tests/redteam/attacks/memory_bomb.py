"""Takes all memory.

must: contained
budget: 1
"""


def before(model, bench):
    held = []
    while True:
        held.append(bytearray(1 << 30))
