"""Muon for the layers' matrices, AdamW for everything else, in one optimizer that a Trainer accepts."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import torch
from torch import Tensor
from torch.nn import Parameter

from o1_assets.core.parallel import cores
from o1_assets.engine.processor import multiplies_bfloat16

# Coefficients of the quintic iteration of Jordan et al. 2024: steep at zero, so that small singular values rise fast.
# Those of the result lie around 1 instead of at 1, which they found to do no harm.
_NEWTON_SCHULZ = (3.4445, -4.7750, 2.0315)


def orthogonalise(updates: Tensor, iterations: int = 5, products: torch.dtype = torch.float32) -> Tensor:
    """Nearest semi-orthogonal matrices, roughly, of a stack (k, rows, columns).

    Muon's Newton-Schulz iteration (Jordan et al. 2024), for all matrices of one shape at once: torch.optim.Muon takes
    them one by one (1 s a step for 28 matrices of 128 x 256, against 0.05 s here). In bfloat16 it takes half the time
    where the processor has it, but then two processes do not end in the weights that one ends in.
    """
    a, b, c = _NEWTON_SCHULZ
    # Of a tall matrix the transpose is taken: its Gram matrix is the smaller one.
    tall = updates.shape[-2] > updates.shape[-1]
    x = updates.mT if tall else updates
    # The Frobenius norm bounds the largest singular value, and the iteration converges for those up to 1.
    x = (x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)).to(products)
    for _ in range(iterations):
        gram = x @ x.mT  # (k, rows, rows)
        # x <- (a + b gram + c gram^2) x
        x = torch.baddbmm(x, torch.baddbmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return (x.mT if tall else x).to(updates.dtype)


class MuonAdamW(torch.optim.Optimizer):
    """Both optimizers behind one interface.

    matrices: 2-D parameters, trained by Muon at muon_lr. others: parameter groups for AdamW, each with its lr.
    autocast: Muon multiplies in bfloat16 where the processor does. pool: threads that share the matrices
    (`core/parallel.py`); None: none do.
    """

    pool: ThreadPoolExecutor | None = None

    def __init__(
        self,
        matrices: Sequence[Parameter],
        muon_lr: float,
        others: Sequence[dict[str, Any]],
        momentum: float = 0.95,
        autocast: bool = False,
    ) -> None:
        self.products = torch.bfloat16 if autocast and multiplies_bfloat16() else torch.float32
        self.adamw = torch.optim.AdamW(
            [dict(group) for group in others], weight_decay=0.0, betas=(0.9, 0.99), fused=True
        )
        self.momentum = momentum
        super().__init__([{"params": list(matrices), "lr": muon_lr}, *(dict(group) for group in others)], {})

    def state_dict(self) -> dict[str, Any]:
        return {**super().state_dict(), "adamw": self.adamw.state_dict()}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        super().load_state_dict({name: state_dict[name] for name in ("state", "param_groups")})
        self.adamw.load_state_dict(state_dict["adamw"])

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> None:  # type: ignore[override]
        by_shape: dict[torch.Size, list[Parameter]] = defaultdict(list)
        for parameter in self.param_groups[0]["params"]:
            if parameter.grad is not None:
                by_shape[parameter.shape].append(parameter)
        parts = []
        for shape, parameters in by_shape.items():
            state = self.state[parameters[0]]
            buffer = state.setdefault(
                "momentum", torch.zeros(len(parameters), *shape, device=parameters[0].device)
            )
            count = cores() if self.pool else 1
            size = -(-len(parameters) // count)
            parts += [
                (parameters[i : i + size], buffer[i : i + size]) for i in range(0, len(parameters), size)
            ]
        list((self.pool.map if self.pool else map)(self._update, parts))
        # A scheduler changes our groups, and accelerate replaces them: the learning rates are copied each time.
        for inner, outer in zip(self.adamw.param_groups, self.param_groups[1:], strict=True):
            inner["lr"] = outer["lr"]
        self.adamw.step()

    @torch.no_grad()
    def _update(self, part: tuple[list[Parameter], Tensor]) -> None:
        """Moves matrices of one shape by their gradients. part: they, and their momentum (k, rows, columns)."""
        parameters, momentum = part
        grads = torch.stack([p.grad for p in parameters if p.grad is not None])
        momentum.lerp_(grads, 1 - self.momentum)
        # Nesterov: the gradient is mixed in once more before the step.
        update = orthogonalise(grads.lerp(momentum, self.momentum), products=self.products)
        rows, columns = parameters[0].shape
        # Tall matrices get larger steps, so that the size of what they put out changes as much as a square one's.
        scale = self.param_groups[0]["lr"] * max(1.0, rows / columns) ** 0.5
        for parameter, change in zip(parameters, update, strict=True):
            parameter.add_(change, alpha=-scale)
