"""Fills the disk with its temporary files.

must: contained
budget: 2
tiers: bwrap
"""


def before(model, bench):
    import shutil

    free = shutil.disk_usage(os.environ["TMPDIR"]).free
    if free > 8 << 30:
        breach("the place for temporary files is as large as the disk")
    with open("big", "wb") as file:
        while True:
            file.write(bytes(1 << 24))
