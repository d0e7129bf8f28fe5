"""Works in build, where no step is counted.

must: timeout
budget: 0.5
"""


def at_build(bench):
    while True:
        torch.rand(200, 200) @ torch.rand(200, 200)
