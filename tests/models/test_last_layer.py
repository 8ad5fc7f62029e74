from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from atrous.models.architectures import ARCHITECTURES, build_network  # noqa: E402
from atrous.models.last_layer import shift_classes  # noqa: E402


@pytest.mark.parametrize("architecture", list(ARCHITECTURES))
def test_a_shift_of_classes_is_added_to_their_logits_everywhere(architecture: str) -> None:
    network = build_network(architecture, "tu-test_resnet", 3).eval()
    image_BCHW = torch.randn(1, 3, 40, 56, generator=torch.Generator().manual_seed(0))
    shift_K = torch.tensor([0.5, 0, -2])
    with torch.inference_mode():
        before_BKHW = network(image_BCHW)
        network.network.load_state_dict(shift_classes(network.network.state_dict(), shift_K))
        after_BKHW = network(image_BCHW)
    torch.testing.assert_close(after_BKHW, before_BKHW + shift_K[:, None, None])
