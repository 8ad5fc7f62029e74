"""Batch norm over two processes gives what batch norm over their whole batch gives."""

from __future__ import annotations

import pytest

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from torch import distributed, nn  # noqa: E402

from atrous.training.ranks import find_ranks  # noqa: E402
from atrous.training.synced_norm import set_synced, synchronise_norms  # noqa: E402

SHARES = (3, 2)
CHANNELS = 4
TIMEOUT_S = 60


def run_rank(index: int, port: int, path: str) -> None:
    torch.set_num_threads(1)
    store = distributed.TCPStore("127.0.0.1", port, is_master=False)
    distributed.init_process_group("gloo", store=store, rank=index, world_size=2)
    network = make_network()
    synchronise_norms(network, find_ranks(torch.device("cpu")))
    values = draw_values().split(SHARES)[index].requires_grad_()
    given = network(values)
    (given * draw_weights().split(SHARES)[index]).sum().backward()
    set_synced(network, is_synced=False)
    with torch.no_grad():
        same = network(draw_values()[:1])
    torch.save({"given": given.detach(), "gradient": values.grad, "state": network.state_dict(), "same": same}, path)


def make_network() -> nn.Module:
    torch.manual_seed(0)
    norm = nn.BatchNorm2d(CHANNELS)
    nn.init.normal_(norm.weight)
    nn.init.normal_(norm.bias)
    return nn.Sequential(norm)


def draw_values() -> torch.Tensor:
    return 3 + 2 * torch.randn(sum(SHARES), CHANNELS, 5, 6, generator=torch.Generator().manual_seed(1))


def draw_weights() -> torch.Tensor:
    return torch.randn(sum(SHARES), CHANNELS, 5, 6, generator=torch.Generator().manual_seed(2))


def test_two_processes_normalise_as_one(tmp_path) -> None:
    store = distributed.TCPStore("127.0.0.1", 0, is_master=True, wait_for_workers=False)
    context = torch.multiprocessing.get_context("forkserver")
    files = [str(tmp_path / f"{index}.pt") for index in range(2)]
    processes = [context.Process(target=run_rank, args=(index, store.port, files[index])) for index in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join(TIMEOUT_S)
    ranks = [torch.load(file) for file in files]

    network, values = make_network(), draw_values().requires_grad_()
    given = network(values)
    (given * draw_weights()).sum().backward()
    close = {"rtol": 1e-4, "atol": 1e-5}
    torch.testing.assert_close(torch.cat([rank["given"] for rank in ranks]), given.detach(), **close)
    torch.testing.assert_close(torch.cat([rank["gradient"] for rank in ranks]), values.grad, **close)
    with torch.no_grad():
        same = network(draw_values()[:1])
    for rank in ranks:
        torch.testing.assert_close(rank["same"], same, **close)
        torch.testing.assert_close(rank["state"], dict(network.state_dict()), **close)
