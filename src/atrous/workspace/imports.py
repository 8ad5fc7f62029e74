"""Import of a dataset into a project: classes, pictures, labels and splits."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from atrous.core.class_map import VOID_ID
from atrous.core.errors import InvalidDatasetError
from atrous.core.ids import check_slug
from atrous.datasets.bare_pictures import NO_FORMAT, list_pictures, part_unlabelled
from atrous.datasets.class_mapping import map_classes
from atrous.datasets.cross_checks import find_across, find_moves
from atrous.datasets.facts import PictureFacts, sum_pixels
from atrous.datasets.files.opening import open_dataset
from atrous.datasets.findings import Finding, Kind
from atrous.datasets.fixes import NO_FIXES, Fix, Fixes
from atrous.datasets.formats import AUTO, has_format, read_source
from atrous.datasets.inspection import inspect_source
from atrous.datasets.parallel import map_in_threads
from atrous.datasets.source import Hints
from atrous.datasets.splits import Split, SplitRule
from atrous.workspace.bare_imports import BarePicture, prepare_bare
from atrous.workspace.import_pairs import PreparedPair, UnchangedPair, prepare_pair
from atrous.workspace.import_places import Place, Steps
from atrous.workspace.import_report import ImportReport, Relabelled
from atrous.workspace.import_target import ImportTarget
from atrous.workspace.project_tree import forget_unlabelled, join_pictures
from atrous.workspace.records import Picture
from atrous.workspace.workspaces import choose_workspace

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence, Set
    from pathlib import Path

    from atrous.datasets.class_mapping import ClassMapping
    from atrous.datasets.files.tree import File, Tree
    from atrous.datasets.source import Source, SourceItem
    from atrous.workspace.ports import Ports
    from atrous.workspace.records import Project

OTHER_SPLIT = "pictures that are in another split of the project than here, where they stayed"
UNCHANGED = "pictures that nothing changed about since an earlier import, which were not looked at again"


@dataclass(frozen=True, slots=True)
class ImportOptions:
    """What a person asks of an import.

    Attributes:
        format_name: one of FORMATS, or `auto`.
        class_list: a file of class names that counts instead of those in the dataset.
        fixes: remedies to apply.
        overwrite: replace labels of pictures that the project has, where the source's differ; the source may then be
            annotations alone, whose pictures are found in the project by name.
        strict: import nothing if there is any finding at all.
        unlabelled: take pictures without a label too, as unlabelled ones.
        split: where all new pictures go, whatever the source says.
        batch: the name that new pictures are kept together by.
        tags: words that all its pictures get.
    """

    format_name: str = AUTO
    class_list: Path | None = None
    fixes: Fixes = NO_FIXES
    overwrite: bool = False
    strict: bool = False
    unlabelled: bool = False
    split: Split | None = None
    batch: str = ""
    tags: tuple[str, ...] = ()


DEFAULT_OPTIONS = ImportOptions()


def import_dataset(
    ports: Ports,
    workspace: str,
    project_slug: str,
    path: Path,
    options: ImportOptions = DEFAULT_OPTIONS,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ImportReport:
    """Add a dataset's pictures and labels to a project, which is made if it is new.

    Pairs that cannot be used are left out with a finding each. The same import can be run again, also after it was
    killed: it goes on with what is not in the project yet.

    Args:
        ports: the world.
        workspace: owner of the project.
        project_slug: its name in ids and addresses.
        path: the dataset, a folder or an archive.
        options: see ImportOptions.
        progress: told how many of how many pictures are done, after each.

    Raises:
        InvalidInputError: if the slug or the format's name cannot be.
        NotFoundError: if there is no such workspace.
        InvalidDatasetError: if the format or the classes cannot be made out, or not one picture can be used.
        ConflictError: if somebody else changed the project's classes meanwhile.
        StorageError: if the disk is full; what was stored until then stays.
    """
    check_slug(project_slug, "project")
    choose_workspace(ports, workspace)
    with open_dataset(path) as tree:
        project = ports.store.find_project(workspace, project_slug)
        format_name, source = _read(ports, tree, project, options)
        source, bare = part_unlabelled(source, tree) if options.unlabelled else (source, {})
        mapping = map_classes(source.classes, project.class_map if project else None, may_be_empty=bool(bare))
        tally = _Tally(list(source.findings))
        report = partial(_report, project=project_slug, format_name=format_name, source=source, mapping=mapping)
        if options.strict:
            findings = inspect_source(source, mapping, options.fixes, progress=progress).findings
            if findings:
                return report(tally=_Tally(list(findings)), pictures={}, is_refused=True)
        target = ImportTarget(ports, workspace, project_slug, project, mapping.class_map)
        steps = Steps(progress, len(source.items) + len(bare))
        given = {options.split} if options.split else {item.split for item in source.items} | set(bare.values())
        run = _Run(options, given, target, tally, steps)
        _import_items(source, mapping, run)
        _import_bare(bare, run)
    if not tally.names:
        raise InvalidDatasetError(_describe_nothing(path, tally.findings))
    _finish_splits(target, tally, options.fixes)
    tally.findings += find_across(_collect_facts(target.pictures, tally), mapping.class_map)
    return report(tally=tally, pictures=target.pictures, is_refused=False)


def _read(ports: Ports, tree: Tree, project: Project | None, options: ImportOptions) -> tuple[str, Source]:
    hints = Hints(options.class_list, options.fixes)
    joined = tree
    if project and options.overwrite:
        joined = join_pictures(tree, ports.store.list_pictures(project.workspace, project.slug), ports.blobs)
    if options.unlabelled and options.format_name == AUTO and not has_format(joined):
        return NO_FORMAT, list_pictures(tree)
    format_name, source = read_source(joined, options.format_name, hints)
    return format_name, forget_unlabelled(source, joined)


# Pictures


@dataclass(frozen=True, slots=True)
class _Run:
    """One import; `given` are all splits that its source gives."""

    options: ImportOptions
    given: Set[Split | None]
    target: ImportTarget
    tally: _Tally
    steps: Steps

    def place(self, said: Split | None) -> Place:
        """Where a picture goes whose split the source says so."""
        options = self.options
        return Place(said, self.given, options.split, options.batch, options.tags)


def _import_items(source: Source, mapping: ClassMapping, run: _Run) -> None:
    options, target = run.options, run.target
    known = {image: picture.source_sha256 for image, picture in target.pictures.items() if picture.mask_sha256}
    prepare = partial(
        prepare_pair,
        mapping=mapping,
        fixes=options.fixes,
        overwrite=options.overwrite,
        known=known,
        put=target.put,
    )
    try:
        with closing(map_in_threads(prepare, source.items)) as results:
            for item, result in zip(source.items, results, strict=True):
                _take(item, result, run)
                run.steps.advance()
    finally:
        # Also after Ctrl-C or on a full disk: what is stored so far is complete and stays usable.
        target.flush()


def _import_bare(files: Mapping[File, Split | None], run: _Run) -> None:
    try:
        with closing(map_in_threads(partial(prepare_bare, put=run.target.put), files)) as results:
            for (file, split), result in zip(files.items(), results, strict=True):
                _take_bare(file, split, result, run)
                run.steps.advance()
    finally:
        run.target.flush()


@dataclass(slots=True)
class _Tally:
    """What the report will say; `names` tells the file of each picture by the sha256 of its image."""

    findings: list[Finding]
    names: dict[str, str] = field(default_factory=dict[str, str])
    imported: set[str] = field(default_factory=set[str])
    relabelled: list[Relabelled] = field(default_factory=list[Relabelled])
    mended: Counter[Fix] = field(default_factory=Counter[Fix])
    remarks: Counter[str] = field(default_factory=Counter[str])
    notes: list[str] = field(default_factory=list[str])


def _take(
    item: SourceItem,
    result: PreparedPair | UnchangedPair | Finding,
    run: _Run,
) -> None:
    target, tally = run.target, run.tally
    if isinstance(result, Finding):
        tally.findings.append(result)
        return
    if not _note(item.image.name, result.image_sha256, target, tally):
        return
    place = run.place(item.split)
    old = target.pictures.get(result.image_sha256)
    if old:
        old = _greet(old, place, run)
    if isinstance(result, UnchangedPair):
        tally.remarks[UNCHANGED] += 1
        return
    tally.remarks.update(result.labelled.remarks)
    tally.mended.update(result.labelled.fixed)
    tally.findings += result.labelled.warnings
    if old:
        _compare(item, old, result, target, tally, overwrite=run.options.overwrite)
    else:
        tally.imported.add(result.image_sha256)
        target.add(place.settle(_make_picture(item, result), target.now()))


def _take_bare(file: File, said: Split | None, result: BarePicture | Finding, run: _Run) -> None:
    target, tally = run.target, run.tally
    if isinstance(result, Finding):
        tally.findings.append(result)
        return
    if not _note(file.name, result.image_sha256, target, tally):
        return
    tally.findings += result.warnings
    old = target.pictures.get(result.image_sha256)
    place = run.place(said)
    if old:
        _greet(old, place, run)
        return
    tally.imported.add(result.image_sha256)
    picture = Picture(file.base_name, result.image_sha256, None, Split.TRAIN, result.size, look=result.look)
    target.add(place.settle(picture, target.now()))


def _note(name: str, image_sha256: str, target: ImportTarget, tally: _Tally) -> bool:
    """Whether this is the first file with this picture."""
    if image_sha256 not in tally.names:
        tally.names[image_sha256] = name
        return True
    twin = target.pictures[image_sha256]
    reason = f"is the same picture as {tally.names[image_sha256]}, which was taken ({twin.split})"
    tally.findings.append(Finding(Kind.SAME_PICTURE, name, reason, "remove one of them"))
    return False


def _greet(old: Picture, place: Place, run: _Run) -> Picture:
    """A picture that the project has stays where it is, and gets new tags."""
    if not old.pending and place.rule is None and place.split is not old.split:
        run.tally.remarks[OTHER_SPLIT] += 1
    tags = tuple(dict.fromkeys((*old.tags, *place.tags)))
    if tags == old.tags:
        return old
    tagged = replace(old, tags=tags)
    run.target.replace(tagged)
    return tagged


def _make_picture(item: SourceItem, result: PreparedPair) -> Picture:
    return Picture(
        name=item.image.base_name,
        image_sha256=result.image_sha256,
        mask_sha256=result.mask_sha256,
        split=Split.TRAIN,
        size=result.labelled.size,
        class_pixels=result.labelled.class_pixels,
        look=result.labelled.look,
        source_sha256=result.source_sha256,
    )


def _compare(
    item: SourceItem, old: Picture, result: PreparedPair, target: ImportTarget, tally: _Tally, *, overwrite: bool
) -> None:
    """Take the label of a picture that the project has, if it says the same or is asked for."""
    changed_px = target.count_changes(old, result.labelled.mask_HW)
    if changed_px and not overwrite and old.mask_sha256:
        reason = f"is in the project already with another label ({changed_px} pixels differ), which was kept"
        tally.findings.append(Finding(Kind.OTHER_LABEL, item.image.name, reason, "use --overwrite to take this one"))
        return
    facts = replace(
        old,
        class_pixels=result.labelled.class_pixels,
        look=result.labelled.look,
        source_sha256=result.source_sha256,
    )
    if not changed_px:
        target.replace(facts)
        return
    target.replace(replace(facts, mask_sha256=result.mask_sha256))
    tally.relabelled.append(Relabelled(item.image.name, changed_px))


# Splits


def _finish_splits(target: ImportTarget, tally: _Tally, fixes: Fixes) -> None:
    for rule, count in target.settle_splits().items():
        shares = "70 % train, 20 % valid, 10 % test" if rule is SplitRule.THREE_WAY else "20 % of train held out"
        given = "no split" if rule is SplitRule.THREE_WAY else "no valid split"
        tally.notes.append(f"{count} pictures with {given}: {shares}, by class and hash, copies of one source together")
    if Fix.COPIES_TO_TRAIN in fixes:
        _move_copies(target, tally)
    target.flush()


def _move_copies(target: ImportTarget, tally: _Tally) -> None:
    """Pictures of this source only: what others brought into the project stays where it is."""
    images = {name: image for image, name in tally.names.items()}
    moves = find_moves(_collect_facts(target.pictures, tally)) & images.keys()
    for name in moves:
        target.replace(replace(target.pictures[images[name]], split=Split.TRAIN))
    if moves:
        tally.mended[Fix.COPIES_TO_TRAIN] = len(moves)


def _collect_facts(pictures: Mapping[str, Picture], tally: _Tally) -> list[PictureFacts]:
    """All of the project, those of this source by their paths in it."""
    return [
        PictureFacts(
            name=tally.names.get(image, picture.name),
            split=picture.split,
            size=picture.size,
            image_sha256=image,
            look=picture.look,
            class_pixels=picture.class_pixels,
        )
        for image, picture in pictures.items()
    ]


# The report


def _report(
    *,
    project: str,
    format_name: str,
    source: Source,
    mapping: ClassMapping,
    tally: _Tally,
    pictures: Mapping[str, Picture],
    is_refused: bool,
) -> ImportReport:
    taken = {image: pictures[image] for image in tally.names}
    ids = sum_pixels(_collect_facts(taken, tally))
    imported = Counter(pictures[image].split for image in tally.imported)
    return ImportReport(
        project=project,
        format=format_name,
        mapping=mapping.rows,
        is_refused=is_refused,
        imported={split: imported[split] for split in Split},
        known=len(taken) - len(tally.imported),
        relabelled=tuple(tally.relabelled),
        findings=tuple(sorted(tally.findings, key=lambda finding: finding.is_warning)),
        pixels={
            split: {name: ids[split][class_id] for class_id, name in enumerate(mapping.class_map.names)}
            for split in Split
        },
        void_pixels={split: ids[split][VOID_ID] for split in Split},
        mended=dict(tally.mended),
        unlabelled=sum(pictures[image].mask_sha256 is None for image in tally.imported),
        notes=(*source.notes, *tally.notes, *(f"{phrase}: {count}" for phrase, count in tally.remarks.items())),
    )


def _describe_nothing(path: Path, findings: Sequence[Finding]) -> str:
    if not findings:
        return f"{path}: has no pictures; give the folder or archive of the dataset"
    return f"{path}: not one of its pictures can be imported; the first of {len(findings)} findings is {findings[0]}"
