"""The one file that is edited: a small GPT, its optimizer and its training loop.

The lab calls `build`, then `train`, and afterwards scores the model elsewhere: lower bits per byte on
text that this file never sees is better. See docs/lab.md for what `bench` offers. To try it:

    python -m lab smoke lab/train.py        does it run?
    python -m lab measure lab/train.py      what is it worth?
"""

import math
from collections.abc import Iterator
from types import SimpleNamespace
from typing import TYPE_CHECKING

import torch
import torch.nn as nn
import torch.nn.functional as F
from torch import Tensor

if TYPE_CHECKING:
    from lab.bench import Bench

# ---------------------------------------------------------------------------------------------------
# Hyper-parameters

# model
DEPTH = 2  # transformer blocks
DIM = 128  # width of the residual stream, channels
HEAD_DIM = 64  # channels per attention head
MLP_RATIO = 4  # hidden width of the MLP, in units of DIM
VALUE_EMBEDDING_EVERY = 2  # every n-th block, counted from the last, mixes token embeddings into its values
KEY_SHIFT = 1.0  # share of each key that is the previous position's
SMEAR = 0.5  # how much of the previous token's embedding is added to each embedding
ROPE_BASE = 10000.0  # longest wavelength of the rotary position embedding, in positions
SOFTCAP = 0.0  # logits are squashed smoothly into ±SOFTCAP; 0 leaves them alone

# batch
BATCH_ROWS = 16  # rows per optimizer step
MICRO_ROWS = 16  # rows per forward and backward pass; BATCH_ROWS must be a multiple of it

# optimizer
MATRIX_LR = 0.03  # Muon: all matrices inside the blocks
EMBEDDING_LR = 0.3  # AdamW: token embedding
VALUE_LR = 0.3  # AdamW: value embeddings
HEAD_LR = 0.01  # AdamW: output head
SCALAR_LR = 0.01  # AdamW: per-block scales and gates
MUON_MOMENTUM = 0.85  # Nesterov momentum of Muon
MUON_STEPS = 5  # Newton–Schulz iterations of Muon
WEIGHT_DECAY = 0.0  # decoupled, on the matrices, per unit of learning rate
ADAM_BETA1 = 0.8  # decay of AdamW's mean
ADAM_BETA2 = 0.95  # decay of AdamW's variance
ADAM_EPS = 1e-10  # AdamW's guard against division by zero

# schedule, in shares of the budget
WARMUP = 0.0  # share over which the learning rates rise from zero
WARMDOWN = 0.5  # share at the end over which they fall
FINAL_LR = 0.05  # what is left of them at the very end

# initialisation
INIT_EMBEDDING = 1.0  # standard deviation of the token embedding
INIT_HEAD = 0.001  # standard deviation of the output head
INIT_MATRIX = 1.0  # spread of the block matrices, in units of 1/sqrt(fan-in)
INIT_KEY_AS_QUERY = True  # do keys start as queries, so that equal tokens match from the first step?

LOG_EVERY = 10  # optimizer steps between two reports of the loss

# What a CUDA GPU gets in place of the values above.
ON_CUDA = {
    "DEPTH": 8,
    "DIM": 512,
    "HEAD_DIM": 128,
    "BATCH_ROWS": 256,  # of 2,048 tokens: 2**19 tokens a step
    "MICRO_ROWS": 64,
    "MATRIX_LR": 0.04,
    "EMBEDDING_LR": 0.6,
    "VALUE_LR": 0.6,
    "HEAD_LR": 0.008,
    "SCALAR_LR": 0.05,
    "MUON_MOMENTUM": 0.95,
    "WEIGHT_DECAY": 0.2,
    "SOFTCAP": 15.0,
    "KEY_SHIFT": 0.0,
    "INIT_KEY_AS_QUERY": False,
    "SMEAR": 0.0,
}

_HERE = {name: value for name, value in globals().items() if name.isupper() and name != "ON_CUDA"}


def settings(device: str) -> SimpleNamespace:
    """The hyper-parameters for `device`: the one place where devices differ."""
    return SimpleNamespace(**_HERE | (ON_CUDA if device == "cuda" else {}))


# ---------------------------------------------------------------------------------------------------
# Model


def norm(x: Tensor) -> Tensor:
    """RMSNorm without a learnable scale."""
    return F.rms_norm(x, (x.size(-1),))


def before(x: Tensor) -> Tensor:
    """x [B, T, ...] moved one position on: what stood before each position, zero before the first."""
    return torch.cat([torch.zeros_like(x[:, :1]), x[:, :-1]], dim=1)


def rotary_table(seq_len: int, head_dim: int, base: float) -> tuple[Tensor, Tensor]:
    """Cosines and sines of the rotary embedding, each [1, seq_len, 1, head_dim / 2]."""
    frequencies = base ** (-torch.arange(0, head_dim, 2, dtype=torch.float32) / head_dim)
    angles = torch.outer(torch.arange(seq_len, dtype=torch.float32), frequencies)[None, :, None, :]
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn the channels of x [B, T, heads, head_dim] by angles that grow with the position."""
    a, b = x.chunk(2, dim=-1)
    return torch.cat([a * cos + b * sin, b * cos - a * sin], dim=-1).type_as(x)


def attend(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Causal attention over q, k, v [B, heads, T, head_dim]."""
    if q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, is_causal=True)
    # On a CPU the fused kernel's backward pass in bfloat16 takes four times as long as plain matrices.
    future = torch.full((q.size(-2), k.size(-2)), -torch.inf, dtype=q.dtype, device=q.device).triu(1)
    return (q @ k.mT * q.size(-1) ** -0.5 + future).softmax(-1).type_as(v) @ v


class Attention(nn.Module):
    """Causal self-attention with rotary positions, normalised queries and keys, and value embeddings."""

    def __init__(self, h: SimpleNamespace, mixes: bool) -> None:
        super().__init__()
        self.head_dim = h.HEAD_DIM
        self.key_shift = h.KEY_SHIFT
        self.query = nn.Linear(h.DIM, h.DIM, bias=False)
        self.key = nn.Linear(h.DIM, h.DIM, bias=False)
        self.value = nn.Linear(h.DIM, h.DIM, bias=False)
        self.out = nn.Linear(h.DIM, h.DIM, bias=False)
        self.mixes = mixes
        if mixes:
            self.value_gate = nn.Parameter(torch.ones(h.DIM // h.HEAD_DIM))

    def forward(self, x: Tensor, value_embedding: Tensor | None, cos: Tensor, sin: Tensor) -> Tensor:
        B, T, D = x.shape
        q, k, v = (f(x).view(B, T, -1, self.head_dim) for f in (self.query, self.key, self.value))
        if value_embedding is not None:
            v = v + self.value_gate.type_as(v)[:, None] * value_embedding.view_as(v)
        if self.key_shift:
            k = k.lerp(before(k), self.key_shift)  # lets one layer find what followed the same token earlier
        q, k = norm(rotate(q, cos, sin)), norm(rotate(k, cos, sin))
        y = attend(*(z.transpose(1, 2) for z in (q, k, v)))
        return self.out(y.transpose(1, 2).reshape(B, T, D))


class MLP(nn.Module):
    """Two matrices with a squared ReLU between them."""

    def __init__(self, h: SimpleNamespace) -> None:
        super().__init__()
        self.up = nn.Linear(h.DIM, h.MLP_RATIO * h.DIM, bias=False)
        self.down = nn.Linear(h.MLP_RATIO * h.DIM, h.DIM, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        return self.down(F.relu(self.up(x)).square())


class Block(nn.Module):
    """Attention, then the MLP, each on a normalised copy of the residual stream."""

    def __init__(self, h: SimpleNamespace, mixes: bool) -> None:
        super().__init__()
        self.attention = Attention(h, mixes)
        self.mlp = MLP(h)

    def forward(self, x: Tensor, value_embedding: Tensor | None, cos: Tensor, sin: Tensor) -> Tensor:
        x = x + self.attention(norm(x), value_embedding, cos, sin)
        return x + self.mlp(norm(x))


class GPT(nn.Module):
    """Token ids [B, T] to logits [B, T, vocab_size]."""

    def __init__(self, h: SimpleNamespace, vocab_size: int, seq_len: int) -> None:
        super().__init__()
        self.softcap = h.SOFTCAP
        self.smear = h.SMEAR
        self.embedding = nn.Embedding(vocab_size, h.DIM)
        mixes = [(h.DEPTH - 1 - i) % h.VALUE_EMBEDDING_EVERY == 0 for i in range(h.DEPTH)]
        self.value_embeddings = nn.ModuleDict(
            {str(i): nn.Embedding(vocab_size, h.DIM) for i in range(h.DEPTH) if mixes[i]}
        )
        self.blocks = nn.ModuleList(Block(h, mixes[i]) for i in range(h.DEPTH))
        self.residual_scale = nn.Parameter(torch.ones(h.DEPTH))  # of the stream before each block
        self.input_scale = nn.Parameter(torch.zeros(h.DEPTH))  # of the embedding, added before each block
        self.head = nn.Linear(h.DIM, vocab_size, bias=False)
        cos, sin = rotary_table(seq_len, h.HEAD_DIM, h.ROPE_BASE)
        self.register_buffer("cos", cos, persistent=False)
        self.register_buffer("sin", sin, persistent=False)
        self.initialise(h)

    @torch.no_grad()
    def initialise(self, h: SimpleNamespace) -> None:
        """Uniform matrices, zero for those that write into the residual stream, a head near zero."""
        self.embedding.weight.normal_(0.0, h.INIT_EMBEDDING)
        self.head.weight.normal_(0.0, h.INIT_HEAD)
        spread = h.INIT_MATRIX * math.sqrt(3 / h.DIM)
        for table in self.value_embeddings.values():
            table.weight.uniform_(-spread, spread)
        for block in self.blocks:
            for layer in (block.attention.query, block.attention.key, block.attention.value, block.mlp.up):
                layer.weight.uniform_(-spread, spread)
            if h.INIT_KEY_AS_QUERY:
                block.attention.key.weight.copy_(block.attention.query.weight)
            for layer in (block.attention.out, block.mlp.down):
                layer.weight.zero_()

    def forward(self, idx: Tensor) -> Tensor:
        with torch.autocast(idx.device.type, dtype=torch.bfloat16):
            T = idx.size(1)
            cos, sin = self.cos[:, :T], self.sin[:, :T]
            x = norm(self.embedding(idx))
            x = x0 = x + self.smear * before(x)
            for i, block in enumerate(self.blocks):
                x = self.residual_scale[i] * x + self.input_scale[i] * x0
                value_embedding = self.value_embeddings[str(i)](idx) if block.attention.mixes else None
                x = block(x, value_embedding, cos, sin)
            logits = self.head(norm(x)).float()
        return self.softcap * torch.tanh(logits / self.softcap) if self.softcap else logits


def build(bench: "Bench") -> nn.Module:
    """A freshly initialised model on the bench's device."""
    return GPT(settings(bench.device), bench.vocab_size, bench.seq_len).to(bench.device)


# ---------------------------------------------------------------------------------------------------
# Optimizer. Not a torch.optim.Optimizer: importing what that needs costs two seconds of the budget.


def orthogonalise(g: Tensor, steps: int) -> Tensor:
    """Replace every singular value of the matrices g [n, rows, columns] by about one (Newton–Schulz)."""
    x = g.bfloat16()
    if g.size(-2) > g.size(-1):
        x = x.mT
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        a = x @ x.mT
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    return x.mT if g.size(-2) > g.size(-1) else x


class Muon:
    """Momentum whose direction is orthogonalised, for matrices of one shape."""

    def __init__(self, params: list[nn.Parameter], h: SimpleNamespace) -> None:
        self.params, self.lr, self.h = params, h.MATRIX_LR, h
        self.momentum = torch.zeros_like(torch.stack([p.data for p in params]))
        self.shape_scale = math.sqrt(max(1.0, params[0].size(-2) / params[0].size(-1)))

    @torch.no_grad()
    def step(self, lr_scale: float) -> None:
        grads = torch.stack([p.grad for p in self.params])
        self.momentum.lerp_(grads, 1 - self.h.MUON_MOMENTUM)
        update = orthogonalise(grads.lerp(self.momentum, self.h.MUON_MOMENTUM), self.h.MUON_STEPS)
        lr = self.lr * lr_scale
        for p, u in zip(self.params, update, strict=True):
            p.mul_(1 - lr * self.h.WEIGHT_DECAY).add_(u, alpha=-lr * self.shape_scale)


class AdamW:
    """Adam for everything that is not a matrix inside a block."""

    def __init__(self, params: list[nn.Parameter], lr: float, h: SimpleNamespace) -> None:
        self.params, self.lr, self.h, self.count = params, lr, h, 0
        self.mean = [torch.zeros_like(p) for p in params]
        self.variance = [torch.zeros_like(p) for p in params]

    @torch.no_grad()
    def step(self, lr_scale: float) -> None:
        self.count += 1
        correct1 = 1 - self.h.ADAM_BETA1**self.count
        correct2 = 1 - self.h.ADAM_BETA2**self.count
        for p, mean, variance in zip(self.params, self.mean, self.variance, strict=True):
            mean.lerp_(p.grad, 1 - self.h.ADAM_BETA1)
            variance.mul_(self.h.ADAM_BETA2).addcmul_(p.grad, p.grad, value=1 - self.h.ADAM_BETA2)
            root = variance.sqrt().div_(math.sqrt(correct2)).add_(self.h.ADAM_EPS)
            p.addcdiv_(mean, root, value=-self.lr * lr_scale / correct1)


def make_optimizers(model: GPT, h: SimpleNamespace) -> list[Muon | AdamW]:
    """Muon for the matrices of the blocks, grouped by shape; AdamW for the rest."""
    matrices: dict[torch.Size, list[nn.Parameter]] = {}
    scalars = [model.residual_scale, model.input_scale]
    for p in model.blocks.parameters():
        (matrices.setdefault(p.shape, []) if p.ndim == 2 else scalars).append(p)
    return [
        *(Muon(params, h) for params in matrices.values()),
        AdamW([model.embedding.weight], h.EMBEDDING_LR, h),
        AdamW(list(model.value_embeddings.parameters()), h.VALUE_LR, h),
        AdamW([model.head.weight], h.HEAD_LR, h),
        AdamW(scalars, h.SCALAR_LR, h),
    ]


def lr_scale(progress: float, h: SimpleNamespace) -> float:
    """What the learning rates are multiplied with when `progress` of the budget is used."""
    if progress < h.WARMUP:
        return progress / h.WARMUP
    if progress < 1 - h.WARMDOWN:
        return 1.0
    left = max(0.0, 1 - progress) / h.WARMDOWN
    return left + (1 - left) * h.FINAL_LR


# ---------------------------------------------------------------------------------------------------
# Training


def batches(tokens: Tensor, rows: int, seq_len: int, device: str) -> Iterator[tuple[Tensor, Tensor]]:
    """Endless pairs (inputs, targets), each [rows, seq_len] int64, from places drawn at random.

    A short run sees a small part of the tokens: windows far apart teach more than neighbours from the same document.
    """
    tokens = tokens.to(device)
    span = torch.arange(seq_len + 1, device=device)
    while True:
        starts = torch.randint(len(tokens) - seq_len, (rows, 1), device=device)
        window = tokens[starts + span].long()
        yield window[:, :-1], window[:, 1:]


def loss_of(model: nn.Module, inputs: Tensor, targets: Tensor) -> Tensor:
    """Mean cross-entropy in nats per token."""
    logits = model(inputs)
    return F.cross_entropy(logits.view(-1, logits.size(-1)), targets.reshape(-1))


def prepare(model: nn.Module, bench: "Bench", h: SimpleNamespace) -> nn.Module:
    """Compile and warm up where that pays: on CUDA, before the clock starts."""
    if bench.device != "cuda":
        return model
    torch.set_float32_matmul_precision("high")
    compiled = torch.compile(model, dynamic=False)
    sample = bench.sample(h.MICRO_ROWS).to(bench.device)
    for _ in range(3):
        loss_of(compiled, sample, sample).backward()
    model.zero_grad(set_to_none=True)
    torch.cuda.synchronize()
    return compiled


def train(model: nn.Module, bench: "Bench") -> None:
    """Train until the budget is used."""
    h = settings(bench.device)
    optimizers = make_optimizers(model, h)
    forward = prepare(model, bench, h)
    data = batches(bench.start(), h.MICRO_ROWS, bench.seq_len, bench.device)
    micro_steps = h.BATCH_ROWS // h.MICRO_ROWS
    step = 0
    while (progress := bench.progress()) < 1:
        for _ in range(micro_steps):
            loss = loss_of(forward, *next(data))
            (loss / micro_steps).backward()
        scale = lr_scale(progress, h)
        for optimizer in optimizers:
            optimizer.step(scale)
        model.zero_grad(set_to_none=True)
        step += 1
        if step % LOG_EVERY == 0:
            bench.log(step, loss)
    bench.log(step, loss)
