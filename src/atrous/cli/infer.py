"""`atrous infer`: masks and annotated pictures of files, folders, videos and streams, in process or from a server."""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from atrous.bundle.reduction import JpegScale
from atrous.cli.engine_options import BackendOption, PrecisionOption, choose_engine
from atrous.cli.engines import EngineOption
from atrous.cli.home import WorkspaceOption
from atrous.cli.infer_cluster import (
    ReplicasOption,
    ShardSizeOption,
    ThreadsOption,
    check_cluster_options,
    infer_in_cluster,
    order_pictures,
)
from atrous.cli.infer_pictures import infer_pictures
from atrous.cli.infer_videos import infer_video
from atrous.cli.inputs import Inputs, find_inputs
from atrous.cli.predictors import Predictor, RemotePredictor, predict_here
from atrous.cli.remote import RemoteModel
from atrous.cli.results import ALL_KINDS, Kind, PictureResults
from atrous.cli.terminal import say, say_error
from atrous.cli.tile_options import OverlapOption, TileOption, choose_tiling
from atrous.cli.video_results import VideoWish, is_finished
from atrous.cli.video_source import open_stream, open_video_file
from atrous.core.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Generator

    from atrous.runtime.tiling import Tiling

FAILED = 2
# At 1 the first frame would stay for ever.
MOST_SMOOTH = 0.99


def infer(
    *,
    model: Annotated[str, typer.Argument(help="PROJECT/VERSION or WORKSPACE/MODEL.")],
    pictures: Annotated[
        list[str],
        typer.Argument(
            metavar="PICTURE...",
            help="Files, folders, globs, videos or addresses of streams; with --engine pictures alone, "
            "s3://BUCKET/PREFIX and lists of addresses in files .txt too.",
        ),
    ],
    out: Annotated[
        str,
        typer.Option(
            metavar="PATH",
            help="Folder for NAME_mask.png and NAME_overlay.jpg or .mp4; with --engine for shards of them, "
            "s3://BUCKET/PREFIX too.",
        ),
    ] = "predictions",
    only: Annotated[Kind | None, typer.Option(help="Write only these.")] = None,
    skip_existing: Annotated[
        bool, typer.Option("--skip-existing", help="Leave out what was finished by an earlier run.")
    ] = False,
    threshold: Annotated[float, typer.Option(min=0.0, max=1.0, help="Pixels below are background.")] = 0.4,
    frame_masks: Annotated[
        bool, typer.Option("--frame-masks", help="Of videos: NAME/NUMBER_mask.png for each frame too.")
    ] = False,
    smooth: Annotated[
        float, typer.Option(min=0.0, max=MOST_SMOOTH, help="Of videos: share of the frames before, against flicker.")
    ] = 0.0,
    every: Annotated[int, typer.Option(min=1, help="Of videos: see only every Nth frame.")] = 1,
    max_frames: Annotated[int | None, typer.Option(min=1, help="Of videos: end after so many frames.")] = None,
    fps: Annotated[
        float | None, typer.Option(min=0.01, max=500.0, help="Of videos: frames a second, if the source tells wrong.")
    ] = None,
    jpeg_scale: Annotated[
        JpegScale,
        typer.Option(help="auto: with --only masks, decode large JPEGs at a half, a quarter or an eighth."),
    ] = JpegScale.FULL,
    tile: TileOption = None,
    tile_overlap: OverlapOption = None,
    precision: PrecisionOption = None,
    backend: BackendOption = None,
    api_url: Annotated[str | None, typer.Option(help="Ask this server instead of predicting here.")] = None,
    api_key: Annotated[str | None, typer.Option(envvar="ATROUS_API_KEY", help="Key for that server.")] = None,
    engine: EngineOption = None,
    replicas: ReplicasOption = None,
    threads: ThreadsOption = None,
    shard_size: ShardSizeOption = None,
    workspace: WorkspaceOption = None,
) -> None:
    """Write a class-id mask and an annotated picture for each picture, or an annotated video for each video.

    A bad picture or video is named and the rest go on.
    """
    check_cluster_options(
        engine,
        {"replicas": replicas, "threads": threads, "shard-size": shard_size},
        {"api-url": api_url, "smooth": smooth, "frame-masks": frame_masks, "max-frames": max_frames, "fps": fps},
    )
    if api_url and smooth:
        raise InvalidInputError("--smooth: works on probabilities, which a server does not send; leave out --api-url")
    _check_jpeg_scale(jpeg_scale, only, api_url)
    tiling = choose_tiling(tile, tile_overlap)
    _check_tiling(tiling, smooth, jpeg_scale)
    if api_url and (precision or backend):
        raise InvalidInputError("--precision, --backend: a server runs networks its own way; leave out --api-url")
    options = choose_engine(precision, backend)
    kinds = frozenset({only}) if only else ALL_KINDS
    with _ending_on_sigterm():
        if engine:
            order = order_pictures(
                model,
                workspace,
                places=pictures,
                out=out,
                kinds=kinds,
                threshold=threshold,
                jpeg_scale=jpeg_scale,
                tiling=tiling,
                options=options,
                replicas=replicas,
                threads=threads,
                shard_size=shard_size,
            )
            failed = infer_in_cluster(engine, order)
        else:
            inputs = find_inputs(pictures)
            wish = VideoWish(_choose_video_kinds(only, frame_masks=frame_masks), every, max_frames, fps)
            predictor = (
                RemotePredictor(RemoteModel(api_url, model, api_key, threshold, tile=tile, tile_overlap=tile_overlap))
                if api_url
                else predict_here(model, workspace, threshold, smooth, jpeg_scale, tiling=tiling, options=options)
            )
            results = PictureResults(Path(out), kinds)
            failed = _infer_all(inputs, predictor, results, wish, skip_existing=skip_existing)
    if failed:
        raise typer.Exit(FAILED)


def _check_jpeg_scale(jpeg_scale: JpegScale, only: Kind | None, api_url: str | None) -> None:
    if jpeg_scale is JpegScale.AUTO and api_url:
        raise InvalidInputError("--jpeg-scale: a server decodes at a scale of its own; leave out --api-url")
    if jpeg_scale is JpegScale.AUTO and only is not Kind.MASKS:
        raise InvalidInputError("--jpeg-scale auto: overlays are drawn on every pixel; give --only masks too")


def _check_tiling(tiling: Tiling | None, smooth: float, jpeg_scale: JpegScale) -> None:
    if tiling is not None and smooth:
        raise InvalidInputError("--tile: frames are not smoothed tile by tile; leave out --smooth")
    if tiling is not None and jpeg_scale is JpegScale.AUTO:
        raise InvalidInputError("--tile: tiles are cut out of every pixel; leave out --jpeg-scale")


def _infer_all(
    inputs: Inputs, predictor: Predictor, results: PictureResults, wish: VideoWish, *, skip_existing: bool
) -> int:
    failed = 0
    if inputs.pictures:
        stems = {p: s for p, s in inputs.pictures.items() if not (skip_existing and results.are_there(s))}
        failed += infer_pictures(stems, predictor, results, skipped=len(inputs.pictures) - len(stems))
    for path, stem in inputs.videos.items():
        failed += _infer_video_file(path, results.folder / stem, predictor, wish, skip_existing=skip_existing)
    for address, stem in inputs.streams.items():
        infer_video(open_stream(address), results.folder / stem, predictor, wish)
    return failed


def _infer_video_file(path: Path, stem: Path, predictor: Predictor, wish: VideoWish, *, skip_existing: bool) -> int:
    if skip_existing and is_finished(stem, wish):
        say(f"{path}: was there already")
        return 0
    try:
        infer_video(open_video_file(path), stem, predictor, wish)
    except InvalidInputError as error:
        say_error(str(error))
        return 1
    return 0


def _choose_video_kinds(only: Kind | None, *, frame_masks: bool) -> frozenset[Kind]:
    if only is Kind.OVERLAYS and frame_masks:
        raise InvalidInputError("--frame-masks: are masks, which --only overlays leaves out; choose one of the two")
    masks = frozenset({Kind.MASKS}) if frame_masks else frozenset[Kind]()
    return masks | {only or Kind.OVERLAYS}


@contextmanager
def _ending_on_sigterm() -> Generator[None]:
    """SIGTERM ends the block as Ctrl-C does: what was seen of a video is brought to its end on the disk."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    previous = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, previous)
