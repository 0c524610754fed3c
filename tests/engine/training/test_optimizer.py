import pytest
import torch

from o1_assets.engine.training.optimizer import orthogonalise


@pytest.mark.parametrize("products", (torch.float32, torch.bfloat16))
@pytest.mark.parametrize("shape", ((12, 12), (24, 12), (12, 24)))
def test_it_comes_near_the_polar_factor(shape: tuple[int, int], products: torch.dtype):
    torch.manual_seed(0)
    updates = torch.randn(3, *shape)
    left, _, right = torch.linalg.svd(updates, full_matrices=False)
    result = orthogonalise(updates, products=products)
    assert result.dtype == torch.float32
    # Singular values of the result lie around 1 (`_NEWTON_SCHULZ`), its directions are those of the matrix.
    assert torch.nn.functional.cosine_similarity(result.flatten(), (left @ right).flatten(), dim=0) > 0.9
