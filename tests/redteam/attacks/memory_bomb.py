"""Takes all memory.

must: oom
"""


def before(model, bench):
    held = []
    while True:
        held.append(torch.empty(1 << 28))  # a gigabyte of addresses, which is what is limited
