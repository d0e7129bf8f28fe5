"""Answers with a tensor class that lies about its shape.

must: rejected fewer or more bytes
"""


class Liar(torch.Tensor):
    @property
    def shape(self):
        return torch.Size([16, 128, 2048])


def answer(model, idx, logits):
    return logits if model.training else logits[:, :3].contiguous().as_subclass(Liar)
