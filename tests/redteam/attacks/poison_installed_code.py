"""Changes torch, the lab or their bytecode on the disk.

must: harmless
"""


def before(model, bench):
    import lab
    import numpy

    for module in (torch, lab, numpy, os, json):
        for path in (module.__file__, os.path.join(os.path.dirname(module.__file__), "sitecustomize.py")):
            with suppress(OSError):
                os.close(os.open(path, os.O_WRONLY | os.O_CREAT))
                breach(path)
