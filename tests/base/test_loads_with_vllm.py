"""What vLLM asks of a checkpoint's shape; `make test-vllm` loads one for real."""

from o1_assets.profiles.load import load_profile

CPU_HEAD_SIZES = {32, 64, 80, 96, 112, 128, 160, 192, 224, 256, 512}
"""vLLM 0.32, the CPU attention backend's get_supported_head_sizes."""


def test_the_head_size_is_one_that_vllm_has_on_cpus() -> None:
    base = load_profile("nano", "").base
    assert base.hidden_size % base.heads == 0
    assert base.hidden_size // base.heads in CPU_HEAD_SIZES
