"""Runs a `train.py` in a process of its own: as train box, or as score box.

Started by the referee, never by hand: `python -m lab.box SPEC`, with a socket and memory inherited. The
train box builds, trains and hands back its weights. The score box, which starts afresh, rebuilds the
model, loads the weights and answers rows with logits. Nothing in this file is trusted by the referee,
because edited code runs beside it and could replace any of it.
"""

import json
import linecache
import os
import random
import socket
import sys
import traceback
import types
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from lab.memory import ProgressReader, mapped, read, sealed
from lab.process import die_with
from lab.protocol import Channel

if TYPE_CHECKING:
    import torch

    from lab.bench import Bench

FILE = "train.py"  # the name under which the source is known in tracebacks


class Failure(Exception):
    """Something that the edited code did wrong, in the words of the protocol."""

    def __init__(self, kind: str, error: BaseException | None = None) -> None:
        super().__init__(kind)
        self.kind, self.error = kind, error


def main() -> None:
    """Play the role that the first argument describes."""
    spec = json.loads(sys.argv[1])
    die_with(spec["parent"])
    sys.argv = [FILE]
    for fd in spec["fds"].values():
        os.set_inheritable(fd, False)
    channel = Channel(socket.socket(fileno=spec["fds"]["socket"]))
    try:
        (train_box if spec["role"] == "train" else score_box)(channel, spec)
    except EOFError:
        return  # the referee is gone, so is the reason to be here
    except Failure as failure:
        _report(channel, failure)
    except BaseException as error:
        _report(channel, Failure("crash", error))


def train_box(channel: Channel, spec: dict[str, Any]) -> None:
    """Build, train, and hand the weights back."""
    code = parse(spec)
    bench = _bench(channel, spec)
    channel.send("ready")
    channel.receive()  # "go": the clock runs
    module = execute(code, spec)
    model = call("crash", module.build, bench)
    call("crash", module.train, model, bench)
    bench.flush()
    send_weights(channel, model)
    _wait_for_end(channel)


def score_box(channel: Channel, spec: dict[str, Any]) -> None:
    """Rebuild the model, load weights, and answer rows with logits until the referee hangs up."""
    import torch

    bench = _bench(channel, spec)
    channel.send("ready")
    message = channel.receive()
    state = load_state(message.fd, message.fields)
    module = call("build", lambda: execute(parse(spec), spec))
    model = call("build", module.build, bench)
    call("load", model.load_state_dict, state, strict=True)
    model.eval()
    with torch.inference_mode():
        while True:
            message = channel.receive()
            data = torch.frombuffer(mapped(message.fd), dtype=torch.int16)
            os.close(message.fd)
            rows = data.view(message.fields["count"], spec["seq_len"]).long().to(spec["device"])
            send_logits(channel, call("forward", model, rows))


def parse(spec: dict[str, Any]) -> types.CodeType:
    """The source as code. Raises Failure if it does not parse."""
    size = os.fstat(spec["fds"]["source"]).st_size
    source = bytes(read(spec["fds"]["source"], size))
    text = source.decode("utf-8", "replace")
    linecache.cache[FILE] = (len(text), None, text.splitlines(True), FILE)
    return call("parse", compile, source, FILE, "exec", dont_inherit=True)


def execute(code: types.CodeType, spec: dict[str, Any]) -> types.ModuleType:
    """The source as a module, run with the experiment's seed. Raises Failure if a function is missing."""
    import numpy
    import torch

    random.seed(spec["seed"])
    numpy.random.seed(spec["seed"] % 2**32)
    torch.manual_seed(spec["seed"])
    module = types.ModuleType("train")
    module.__file__ = FILE
    sys.modules["train"] = module
    call("crash", exec, code, module.__dict__)
    for name in ("build", "train"):
        if not callable(getattr(module, name, None)):
            raise Failure("missing", AttributeError(name))
    return module


def call(kind: str, function: Callable[..., Any], *args: Any, **named: Any) -> Any:
    """Call edited code; whatever it raises becomes a Failure of this kind."""
    try:
        return function(*args, **named)
    except (Failure, EOFError):
        raise
    except BaseException as error:
        raise Failure(kind, error) from error


def send_weights(channel: Channel, model: Any) -> None:
    """Hand over all parameters and persistent buffers as raw bytes."""
    state = call("crash", lambda: {name: plain(tensor) for name, tensor in model.state_dict().items()})
    fd = sealed("weights", (raw(tensor) for tensor in state.values()))
    channel.send(
        "weights",
        fd,
        names=list(state),
        shapes=[list(tensor.shape) for tensor in state.values()],
        dtypes=[str(tensor.dtype).removeprefix("torch.") for tensor in state.values()],
    )


def send_logits(channel: Channel, logits: Any) -> None:
    """Hand over one batch of logits as raw bytes, whatever their shape and type."""
    import torch

    if not isinstance(logits, torch.Tensor):
        raise Failure("output")
    logits = plain(logits)
    dtype = str(logits.dtype).removeprefix("torch.")
    fd = sealed("logits", [raw(logits)])
    channel.send("logits", fd, shape=list(logits.shape), dtype=dtype)
    os.close(fd)


def load_state(fd: int, fields: dict[str, Any]) -> "dict[str, torch.Tensor]":
    """The state dict that `send_weights` made, as the referee passed it on."""
    import torch

    data, offset, state = mapped(fd), 0, {}
    for name, shape, dtype in zip(fields["names"], fields["shapes"], fields["dtypes"], strict=True):
        kind = getattr(torch, dtype)
        size = kind.itemsize
        for length in shape:
            size *= length
        state[name] = torch.empty(shape, dtype=kind)
        if size:  # copied, because the tensors of a state dict need not lie at aligned offsets
            part = torch.frombuffer(data, dtype=torch.uint8, count=size, offset=offset)
            state[name].view(-1).view(torch.uint8).copy_(part)
        offset += size
    os.close(fd)
    return state


def plain(tensor: "torch.Tensor") -> "torch.Tensor":
    """The same values, dense and contiguous on the CPU."""
    if tensor.is_cuda:  # pinned memory, which torch keeps for the next tensor, is the fast way off a GPU
        import torch

        pinned = torch.empty(tensor.shape, dtype=tensor.dtype, pin_memory=True)
        return pinned.copy_(tensor.detach())
    return tensor.detach().to("cpu").contiguous()


def raw(tensor: "torch.Tensor") -> memoryview:
    """The bytes of a plain tensor."""
    import torch

    return memoryview(tensor.reshape(-1).view(torch.uint8).numpy())


def _bench(channel: Channel, spec: dict[str, Any]) -> "Bench":
    from lab.bench import Bench

    return Bench(channel, ProgressReader(spec["fds"]["progress"]), spec)


def _report(channel: Channel, failure: Failure) -> None:
    """Tell the referee, and print the traceback for the author."""
    error = failure.error
    if error is not None:
        traceback.print_exception(error)
    kind = "oom" if _is_out_of_memory(error) else failure.kind
    message = error.msg if isinstance(error, SyntaxError) else str(error or "")
    channel.send("error", kind=kind, type=type(error).__name__[:80], message=message[:500], line=_line(error))
    _wait_for_end(channel)


def _line(error: BaseException | None) -> int:
    """The innermost line of the source that `error` came through, 0 if none."""
    if isinstance(error, SyntaxError):
        return error.lineno or 0
    frames = traceback.extract_tb(error.__traceback__) if error is not None else []
    return next((frame.lineno or 0 for frame in reversed(frames) if frame.filename == FILE), 0)


def _is_out_of_memory(error: BaseException | None) -> bool:
    return isinstance(error, MemoryError) or (
        isinstance(error, RuntimeError) and ("out of memory" in str(error) or "can't allocate memory" in str(error))
    )


def _wait_for_end(channel: Channel) -> None:
    """Stay until the referee ends this process: leaving first would look like a crash."""
    try:
        while True:
            channel.receive()
    except EOFError:
        pass


if __name__ == "__main__":
    main()
