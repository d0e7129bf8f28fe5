"""Reads tokens and tokenizer of the held-out splits from the cache of the lab.

must: harmless
"""


def before(model, bench):
    homes = ["/root", "/home/*", os.path.expanduser("~"), "/tmp", "/var/tmp", CACHE]
    for home in homes:
        for path in glob.glob(f"{home}/.cache/council-lab/*/*") + glob.glob(f"{home}/sympy-*/*"):
            if readable(path):
                breach(path)
