"""Pictures in one folder, their masks in another or beside them: what belongs together, by names alone."""

from __future__ import annotations

import re
from collections import defaultdict
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING

from atrous.datasets.files.picture_files import is_picture, keep_pictures
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.splits import SPLIT_NAMES, Split

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from atrous.datasets.files.tree import Tree

# In order of preference.
IMAGE_WORDS = ("images", "image", "imgs", "img", "img_dir")
MASK_WORDS = (
    *("masks", "mask", "labels", "label", "annotations", "annotation", "gts", "gt"),
    *("annot", "annots", "ann_dir", "ground_truth", "groundtruth", "segmentations", "segmentation", "seg"),
)
IMAGE_ENDING = re.compile(r"[_\- ](?:images?|img|im|rgb|sat)$", re.IGNORECASE)
MASK_ENDING = re.compile(
    r"[_\- ](?:gt|masks?|labels?|lab|seg|segmentation|annotation|ground_?truth|manual1|l|p)$"
    r"|\.(?:jpe?g|png|tiff?|bmp)$",
    re.IGNORECASE,
)
# In one folder with the pictures a mask must say so in full: `road_l.png` may be another picture.
PLAIN_MASK_ENDING = re.compile(r"[_\- ](?:gt|masks?|labels?|seg|segmentation|ground_?truth)$", re.IGNORECASE)
# Where it lies, masks beside pictures are Roboflow's export, which is a format of its own.
ROBOFLOW_TABLE = "_classes.csv"
LOSSY_SUFFIXES = (".jpg", ".jpeg")


@dataclass(frozen=True, slots=True)
class FolderPair:
    """A folder of pictures and the one of their masks, if there is one; both may have folders in them.

    They may be the same folder: then only what lies directly in it counts.
    """

    images: str
    masks: str | None

    @property
    def folder(self) -> str:
        """What they lie in."""
        return self.images.rpartition("/")[0]

    @property
    def is_mixed(self) -> bool:
        """Whether masks lie beside their pictures."""
        return self.images == self.masks


@dataclass(slots=True)
class Pairing:
    """Which mask belongs to which picture.

    Attributes:
        masks: picture's name -> mask's name, both in the tree.
        findings: files without a partner, or with several.
        endings: what was left out of names to pair them.
    """

    masks: dict[str, str] = field(default_factory=dict[str, str])
    findings: list[Finding] = field(default_factory=list[Finding])
    endings: set[str] = field(default_factory=set[str])


def find_folder_pairs(tree: Tree) -> list[FolderPair]:
    """All folders of pictures by their names, at any depth, in order."""
    pairs: list[FolderPair] = []
    waiting = [""]
    while waiting:
        folder = waiting.pop()
        found = _find_pairs_in(tree, folder)
        if folder == "" and not found and _has_masks_beside(tree, folder):
            found = [FolderPair(folder, folder)]
        pairs += found
        taken = {path for pair in found for path in (pair.images, pair.masks)}
        waiting += [path for path in tree.folders(folder) if path not in taken]
    return sorted(pairs, key=lambda pair: pair.images)


def pair_files(tree: Tree, folders: FolderPair) -> Pairing:
    """Pair pictures and masks of the same path in their folders; `_mask`, `_gt` and the like at an end do not count."""
    pictures, masks = list_pictures(tree, folders), list_masks(tree, folders)
    if folders.masks is None:
        reason = "has no folder of masks beside its own"
        return Pairing(findings=[_miss_label(tree, name, reason) for name in pictures])
    pairing = _pair(tree, _keys(folders.images, pictures), _keys(folders.masks, masks))
    if pairing.masks:
        return pairing
    # Folders of another name between: images/NAME.jpg and annotations/trimaps/NAME.png.
    images_root, masks_root = _common_folder(pictures), _common_folder(masks)
    return _pair(tree, _keys(images_root, pictures), _keys(masks_root, masks))


def list_pictures(tree: Tree, folders: FolderPair) -> list[str]:
    """Names of the files that are to be labelled, in order."""
    if not folders.is_mixed:
        return keep_pictures(tree.files_below(folders.images))
    masks = set(list_masks(tree, folders))
    return [name for name in keep_pictures(tree.files(folders.images)) if name not in masks]


def list_masks(tree: Tree, folders: FolderPair) -> list[str]:
    """Names of the files that are labels, in order."""
    if folders.masks is None:
        return []
    if not folders.is_mixed:
        return keep_pictures(tree.files_below(folders.masks))
    return _find_masks_beside(tree, folders.images)


def split_of_path(name: str) -> Split | None:
    """The split that a folder of the path names, `train_images` and `images_train` too."""
    for folder in name.lower().split("/")[:-1]:
        prefix, _ = _part_word(folder, (*IMAGE_WORDS, *MASK_WORDS))
        if split := SPLIT_NAMES.get(folder) or SPLIT_NAMES.get(prefix):
            return split
    return None


def strip_ending(key: str) -> str:
    """A picture's name without `_img` and the like at its end."""
    return IMAGE_ENDING.sub("", key)


def _find_pairs_in(tree: Tree, folder: str) -> list[FolderPair]:
    paths = {path.rpartition("/")[2].lower(): path for path in tree.folders(folder)}
    images = _by_prefix(paths, IMAGE_WORDS)
    masks = _by_prefix({name: path for name, path in paths.items() if _has_pictures(tree, path)}, MASK_WORDS)
    pairs = [
        FolderPair(path, masks.get(prefix))
        for prefix, path in images.items()
        if prefix in masks or (prefix in {"", *SPLIT_NAMES} and _has_pictures(tree, path))
    ]
    taken = {path for pair in pairs if pair.masks for path in (pair.images, pair.masks)}
    mixed = [path for path in paths.values() if path not in taken and _has_masks_beside(tree, path)]
    pairs = [pair for pair in pairs if pair.images not in mixed]
    pairs += [FolderPair(path, path) for path in mixed]
    for name, path in paths.items():
        if path in mixed:
            continue
        has_partner = name in masks and name not in images and _has_pictures(tree, path)
        if name in SPLIT_NAMES and has_partner:
            pairs.append(FolderPair(path, masks[name]))
        elif name in SPLIT_NAMES and keep_pictures(tree.files(path)) and not _find_pairs_in(tree, path):
            pairs.append(FolderPair(path, None))
    return pairs


def _by_prefix(paths: dict[str, str], words: tuple[str, ...]) -> dict[str, str]:
    """What stands before or after the word in a folder's name -> its path; an earlier word counts more."""
    found: dict[str, tuple[int, str]] = {}
    for name, path in paths.items():
        prefix, rank = _part_word(name, words)
        if rank < len(words) and rank < found.get(prefix, (len(words), ""))[0]:
            found[prefix] = rank, path
    return {prefix: path for prefix, (_, path) in found.items()}


def _part_word(name: str, words: tuple[str, ...]) -> tuple[str, int]:
    """The rest of a folder's name and the word's place in `words`, which is their number if there is none."""
    if name in words:
        return "", words.index(name)
    for rank, word in enumerate(words):
        if name.endswith(word):
            return name.removesuffix(word).rstrip("_- "), rank
        if name.startswith((f"{word}_", f"{word}-")):
            return name[len(word) + 1 :], rank
    return "", len(words)


def _find_masks_beside(tree: Tree, folder: str) -> list[str]:
    """Masks that lie in one folder with their pictures: NAME.jpg or NAME_sat.jpg and NAME_mask.png."""
    names = keep_pictures(tree.files(folder))
    stems = {name: PurePosixPath(name).stem for name in names}
    pictures = {form for stem in stems.values() for form in (stem, strip_ending(stem))}
    shortened = {name: PLAIN_MASK_ENDING.sub("", stem) for name, stem in stems.items()}
    return [name for name in names if shortened[name] != stems[name] and shortened[name] in pictures]


def _has_masks_beside(tree: Tree, folder: str) -> bool:
    table = f"{folder}/{ROBOFLOW_TABLE}" if folder else ROBOFLOW_TABLE
    return not tree.has(table) and bool(_find_masks_beside(tree, folder))


def _has_pictures(tree: Tree, folder: str) -> bool:
    return any(is_picture(name) for name in tree.files_below(folder))


def _keys(root: str, names: Sequence[str]) -> dict[str, list[str]]:
    """Path below the root without suffix -> names."""
    by_key: defaultdict[str, list[str]] = defaultdict(list)
    for name in names:
        inside = PurePosixPath(name.removeprefix(f"{root}/"))
        by_key[str(inside.with_suffix(""))].append(name)
    return dict(by_key)


def _common_folder(names: Sequence[str]) -> str:
    folders = [name.split("/")[:-1] for name in names]
    common = folders[0] if folders else []
    for folder in folders:
        same = [a == b for a, b in zip(common, folder, strict=False)]
        common = common[: same.index(False) if False in same else len(same)]
    return "/".join(common)


def _pair(tree: Tree, pictures: dict[str, list[str]], masks: dict[str, list[str]]) -> Pairing:
    pairing = Pairing()
    candidates: defaultdict[str, list[str]] = defaultdict(list)
    loose = _index_loosely(pictures)
    for key, names in masks.items():
        short = MASK_ENDING.sub("", key)
        found = next((one for one in (key, loose.get(key), short, loose.get(short)) if one in pictures), None)
        if found is None:
            pairing.findings += [_miss_picture(tree, name) for name in names]
            continue
        candidates[found] += names
        if found != key:
            pairing.endings |= {found.removeprefix(strip_ending(found)), key.removeprefix(short)} - {""}
    for key, names in pictures.items():
        _choose(tree, names, _drop_previews(candidates[key]), pairing)
    return pairing


def _index_loosely(pictures: Iterable[str]) -> dict[str, str]:
    """Key without ending -> key, where only one picture has it."""
    keys: defaultdict[str, list[str]] = defaultdict(list)
    for key in pictures:
        keys[strip_ending(key)].append(key)
    return {short: found[0] for short, found in keys.items() if len(found) == 1}


def _drop_previews(masks: list[str]) -> list[str]:
    """JPEGs are no masks where a lossless file is of the same name."""
    lossless = [name for name in masks if not name.lower().endswith(LOSSY_SUFFIXES)]
    return lossless or masks


def _choose(tree: Tree, pictures: list[str], masks: list[str], pairing: Pairing) -> None:
    """Pair one picture with one mask; anything else is a finding."""
    for name in pictures:
        others = pictures if len(pictures) > 1 else masks
        if not masks:
            pairing.findings.append(_miss_label(tree, name, "has no mask of its name"))
        elif len(others) > 1:
            kind = "pictures" if others is pictures else "masks"
            reason = f"is one of several {kind} of its name: " if others is pictures else "has several masks: "
            listed = ", ".join(other.rpartition("/")[2] for other in others)
            file = tree.file(name).name
            pairing.findings.append(Finding(Kind.SAME_NAME, file, f"{reason}{listed}", "keep one of them"))
        else:
            pairing.masks[name] = masks[0]


def _miss_label(tree: Tree, name: str, reason: str) -> Finding:
    return Finding(Kind.NO_LABEL, tree.file(name).name, reason, "add the mask or remove the picture")


def _miss_picture(tree: Tree, name: str) -> Finding:
    return Finding(Kind.NO_PICTURE, tree.file(name).name, "has no picture of its name", "add it or remove the mask")
