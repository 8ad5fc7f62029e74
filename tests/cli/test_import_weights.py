from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from tests.fakes.datasets import CLASS_MAP, add_version
from typer.testing import CliRunner

torch = pytest.importorskip("torch", reason="needs torch; pip install 'atrous[train]'")

from atrous.adapters.home import open_home  # noqa: E402
from atrous.bundle.bundle import open_bundle  # noqa: E402
from atrous.cli.main import app  # noqa: E402
from atrous.core.errors import AtrousError  # noqa: E402
from atrous.models.architectures import Shape, build_network  # noqa: E402
from atrous.workspace.models import find_model  # noqa: E402

if TYPE_CHECKING:
    from pathlib import Path

    from atrous.workspace.ports import Ports

HEAD = "segmentation_head.0.weight"


@pytest.fixture
def ports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Ports:
    """An empty home."""
    monkeypatch.setenv("ATROUS_HOME", str(tmp_path / "home"))
    ports = open_home(tmp_path / "home")
    ports.store.add_workspace("main")
    return ports


def run(*arguments: object) -> None:
    result = CliRunner().invoke(app, list(map(str, arguments)), standalone_mode=False)
    if result.exception:
        raise result.exception


def make_weights(classes: int = len(CLASS_MAP)) -> dict[str, torch.Tensor]:
    torch.manual_seed(0)
    return build_network("deeplabv3plus", "resnet18", classes, Shape(decoder_channels=16)).network.state_dict()


def save(folder: Path, content: object, name: str = "weights.pt") -> Path:
    path = folder / name
    torch.save(content, path)
    return path


def write_names(folder: Path, *names: str) -> Path:
    path = folder / "names.txt"
    path.write_text("\n".join(names), encoding="utf-8")
    return path


def test_weights_of_a_trainer_become_a_model_with_the_classes_in_the_versions_order(
    ports: Ports, tmp_path: Path
) -> None:
    add_version(ports, "main", "road")
    weights = make_weights()
    # As Lightning writes them, with a loss beside the network; Roboflow's weights.pt has this form too.
    wrapped = {"state_dict": {f"model.{name}": value for name, value in weights.items()} | {"loss.w": torch.ones(3)}}
    names = write_names(tmp_path, "sign", "Background", "road")
    path = save(tmp_path, wrapped | {"epoch": 3})
    run("model", "import", path, "--version", "road/1", "--classes", names, "--encoder", "resnet18", "--int8", "off")
    model = find_model(ports, "main", "road/1")
    assert 0 <= model.metrics["miou"] <= 1
    bundle = open_bundle(ports.bundles.locate("main", model.slug))
    kept = torch.load(bundle.folder / "weights.pt", weights_only=True)
    assert torch.equal(kept[HEAD], weights[HEAD][[1, 2, 0]])


def test_weights_without_a_dataset_become_a_model_that_nobody_scored(ports: Ports, tmp_path: Path) -> None:
    names = write_names(tmp_path, "background", "hill", "lake")
    path = save(tmp_path, make_weights())
    run("model", "import", path, "--classes", names, "--resize", "64x48", "--project", "land", "--encoder", "resnet18")
    model = find_model(ports, "main", "land/1")
    bundle = open_bundle(ports.bundles.locate("main", model.slug))
    assert bundle.class_map.names == ("background", "hill", "lake")
    assert str(bundle.preprocessing.size) == "64x48"
    assert bundle.manifest.parity["pictures"] > 0
    assert "miou" not in model.metrics
    assert not ports.queue.list_jobs()


def refuse(*arguments: object) -> str:
    with pytest.raises(AtrousError) as caught:
        run("model", "import", *arguments)
    return str(caught.value)


def test_each_wrong_file_is_refused_in_one_sentence_and_leaves_nothing(ports: Ports, tmp_path: Path) -> None:
    add_version(ports, "main", "road")
    good = make_weights()
    encoder_alone = {name: value for name, value in good.items() if name.startswith("encoder.")}
    grey = good | {"encoder.conv1.weight": torch.zeros(64, 1, 7, 7)}
    broken = good | {HEAD: torch.full_like(good[HEAD], torch.nan)}
    network = build_network("deeplabv3plus", "resnet18", 3).network
    said = [
        refuse(save(tmp_path, content), "--version", "road/1", "--encoder", "resnet18")
        for content in (network, {"epoch": 1}, encoder_alone, make_weights(5), grey, broken)
    ]
    expected = (
        "save the network's state dict alone",
        "holds no state dict",
        f"have no {HEAD}",
        "tell 5 classes apart, but there are 3",
        "encoder.conv1.weight is 64x1x7x7 instead of 64x3x7x7",
        f"not finite, first in {HEAD}",
    )
    assert all(part in text for text, part in zip(said, expected, strict=True)), said
    assert not ports.store.list_models("main")


def test_names_and_options_that_do_not_fit_are_refused(ports: Ports, tmp_path: Path) -> None:
    add_version(ports, "main", "road")
    path = save(tmp_path, make_weights())
    assert "no such file" in refuse(tmp_path / "gone.pt", "--version", "road/1")
    assert "--version" in refuse(path)
    assert "leave out --resize" in refuse(path, "--version", "road/1", "--resize", "64x64")
    foreign = write_names(tmp_path, "background", "road", "tree")
    said = refuse(path, "--version", "road/1", "--classes", foreign)
    assert "missing: sign" in said
    assert "not of the version: tree" in said
    bare = ("--resize", "64x64", "--project", "land", "--encoder", "resnet18")
    assert "background" in refuse(path, "--classes", write_names(tmp_path, "a", "b", "c"), *bare)
    assert "tell 3 classes" in refuse(path, "--classes", write_names(tmp_path, "background", "a"), *bare)
    assert ports.store.find_project("main", "land") is None
