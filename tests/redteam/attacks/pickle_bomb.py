"""Puts objects into the model that run code when unpickled.

must: harmless
"""


class Bomb:
    def __reduce__(self):
        return os.system, ("touch /tmp/unpickled",)


def after(model, bench):
    model.bomb = Bomb()
    model.__dict__["_note"] = Bomb()
