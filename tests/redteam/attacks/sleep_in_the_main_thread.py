"""Lets threads work while the main thread sleeps.

must: timeout
size: full
"""


def before(model, bench):
    import threading

    def work():
        while True:
            learn(model, torch.zeros(8, 129, dtype=torch.long))

    for _ in range(2):
        threading.Thread(target=work, daemon=True).start()
    time.sleep(60)
