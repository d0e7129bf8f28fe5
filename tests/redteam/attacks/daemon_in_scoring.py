"""Leaves a daemon behind that helps the score box.

must: harmless
"""


def after(model, bench):
    if os.fork() == 0:
        os.setsid()
        if os.fork() == 0:
            while True:
                with suppress(OSError):
                    open("/tmp/daemon-of-redteam", "w").write("alive")
                time.sleep(0.01)
        os._exit(0)
    os.wait()


def answer(model, idx, logits):
    path = "/tmp/daemon-of-redteam"
    if not model.training and os.path.exists(path) and time.time() - os.path.getmtime(path) < 0.3:
        return -logits * 9  # it lives: a score that nobody has by chance
    return logits
