"""What this machine's processor can do."""

from __future__ import annotations

import torch


def multiplies_bfloat16() -> bool:
    """Whether this processor multiplies in bfloat16; one that does not emulates it, which is slower than float32."""
    able = torch.cpu.get_capabilities()
    return bool(able.get("avx512_bf16") or able.get("amx_bf16"))
