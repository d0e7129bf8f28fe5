"""Trains in the score box, before its first answer, on training text that it carries in a buffer.

must: rejected the score box worked longer before its first answer
size: full
"""


class Later(Honest):
    def __init__(self, vocab_size):
        super().__init__(vocab_size)
        self.register_buffer("text", torch.zeros(8 * 129 * 20, dtype=torch.int16))

    def eval(self):
        torch.manual_seed(0)
        rows = self.text.view(-1, 8, 129).long()
        end = time.process_time() + 4
        while time.process_time() < end:
            for row in rows:
                learn(self, row)
        return super().eval()


def build(bench):
    return Later(bench.vocab_size)


def train(model, bench):
    tokens = bench.start()
    model.text.copy_(tokens[: len(model.text)])
