"""Looks for copies of held-out text in every environment on the disk.

must: harmless
"""


def before(model, bench):
    for folder, folders, files in os.walk("/"):
        folders[:] = [name for name in folders if os.path.join(folder, name) not in ("/proc", "/sys")]
        if "sympy/physics" in folder or "sympy/stats" in folder:
            for file in files:
                if readable(os.path.join(folder, file)):
                    breach(os.path.join(folder, file))
