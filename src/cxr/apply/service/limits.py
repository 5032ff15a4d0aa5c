"""What one server takes on."""

from __future__ import annotations

from dataclasses import dataclass

MIB = 1024**2


@dataclass(frozen=True)
class Limits:
    """Sizes in bytes, times in seconds. Beyond `pending` or `memory` a client is told to come
    again (429); beyond the others the request is refused for good."""

    body: int = 64 * MIB
    """One request. A 16-bit image of 4,000 x 5,000 pixels is 38 MiB."""
    tensor_body: int = 8 * MIB
    """One request of the Open Inference Protocol: JSON, which needs ten times that in memory."""
    memory: int = 256 * MIB
    """All bodies that lie in memory at once."""
    files: int = 32
    """Images in one request."""
    pending: int = 64
    """Images that wait for the model or are with it."""
    asides: int = 8
    """Images and explanations that wait or are made, apart from the predictions."""
    connections: int = 512
    head: int = 32 * 1024
    """Request line and headers."""

    workers: int | None = None
    """Threads that decode and predict; None: one for each CPU."""
    batch: int = 2
    """Images that go through the network at once, when many are waiting."""

    head_seconds: float = 10.0
    body_seconds: float = 60.0
    work_seconds: float = 30.0
    aside_seconds: float = 120.0
    idle_seconds: float = 15.0
    """Between two requests of one connection."""
    drain_seconds: float = 20.0
    """For requests in flight when the server is told to stop."""
    watch_seconds: float = 1.0
    """Between two looks at the model file."""
    retry_after: int = 1
