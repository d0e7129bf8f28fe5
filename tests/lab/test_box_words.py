"""What a training box may say to the referee: its turn, its size, and the weights that it hands over.

Every test here runs real boxes, for three steps on random tokens.
"""

from __future__ import annotations

from collections.abc import Callable

from lab.measurement import Measurement

Run = Callable[..., Measurement]


def test_a_box_that_speaks_out_of_turn_is_rejected(boxed: Run) -> None:
    result = boxed(before="bench._channel.send('ready')")
    assert (result.status, result.reason) == ("rejected", "the box sent 'ready' out of turn")


def test_a_box_that_writes_noise_is_rejected(boxed: Run) -> None:
    result = boxed(before="bench._channel.sock.sendall(b'\\xff' * 100); time.sleep(5)")
    assert result.status == "rejected"
    assert "4294967295 bytes" in (result.reason or "")


def test_weights_that_lie_about_their_shape_are_rejected(boxed: Run) -> None:
    result = boxed(
        after="""
        from lab.memory import sealed
        bench._channel.send("weights", sealed("w", [b"x" * 8]), names=["a"], shapes=[[3]], dtypes=["float32"])
        time.sleep(5)
        """
    )
    assert (result.status, result.reason) == ("rejected", "the weights have 8 bytes, their shapes say 12")


def test_only_parameters_and_persistent_buffers_survive(boxed: Run) -> None:
    result = boxed(
        build="""
        class Model(Tiny):
            def __init__(self, v):
                super().__init__(v)
                self.register_buffer("kept", torch.zeros(1))
                self.register_buffer("lost", torch.zeros(1), persistent=False)
                self.note = 0
            def forward(self, idx):
                if not self.training and (self.kept.item(), self.lost.item(), self.note) != (1.0, 0.0, 0): 1 / 0
                return super().forward(idx)
        return Model(bench.vocab_size)
        """,
        after="model.kept += 1; model.lost += 1; model.note = 1",
    )
    assert result.status == "ok", result.reason
