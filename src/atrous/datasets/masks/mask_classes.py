"""What the values or colours of a dataset's masks mean: from its list of classes, or from a look at some masks."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from atrous.core.class_map import BACKGROUND
from atrous.core.errors import InvalidDatasetError
from atrous.datasets.classes.class_entries import write_colour
from atrous.datasets.fixes import Fix, Fixes
from atrous.datasets.masks.colour_mask import ColourMask
from atrous.datasets.masks.mask_file import MaskFile
from atrous.datasets.masks.mask_sample import MaskSample, sample_colours, sample_values

if TYPE_CHECKING:
    from collections import Counter
    from collections.abc import Callable, Sequence

    from atrous.datasets.files.tree import File

FOREGROUND = "foreground"
VOID_VALUE = 255
MAX_SHOWN = 20
CLASSES_OPTION = "--classes FILE"


@dataclass(frozen=True, slots=True)
class MaskClasses:
    """How to read masks.

    Attributes:
        classes: source value -> name.
        colours: pairs of 0xRRGGBB and value, if masks hold colours.
        notes: what was decided, as sentences for people.
    """

    classes: dict[int, str]
    colours: tuple[tuple[int, int], ...] = ()
    notes: tuple[str, ...] = ()

    def label(self, mask: File) -> MaskFile | ColourMask:
        """The label in a mask's file."""
        return ColourMask(mask, self.colours) if self.colours else MaskFile(mask)


def read_value_classes(place: str, masks: Sequence[File], classes: dict[int, str] | None, fixes: Fixes) -> MaskClasses:
    """Classes of masks whose pixels are values; without a list these must be black and white.

    Raises:
        InvalidDatasetError: if there is no list and the masks hold other values, or the values are off by one from it.
    """
    sample = sample_values(masks)
    seen = sample.values + _grey_values(sample) if Fix.GREY_RGB_MASKS in fixes else sample.values
    if classes is None:
        named = _name_two_values(place, seen, sample)
    else:
        _check_offset(place, classes, seen, fixes)
        named = classes
    if Fix.INVERT_MASKS in fixes:
        named = _invert(place, named)
    is_told = classes is None or Fix.INVERT_MASKS in fixes
    return MaskClasses(named, notes=(_describe_two_values(named),) if is_told else ())


def read_colour_classes(place: str, masks: Sequence[File], colours: dict[int, str] | None, fixes: Fixes) -> MaskClasses:
    """Classes of masks whose pixels are colours; those of one name are one class.

    Raises:
        InvalidDatasetError: if there is no list of colours, or none of the masks looked at agrees with it.
    """
    sample = sample_colours(masks)
    if not colours:
        raise InvalidDatasetError(_ask_for_colours(place, sample))
    _check_colours(place, colours, sample, fixes)
    values: dict[str, int] = {}
    for name in colours.values():
        values.setdefault(name.casefold(), len(values))
    pairs = tuple((colour, values[name.casefold()]) for colour, name in colours.items())
    names = {name.casefold(): name for name in reversed(colours.values())}
    return MaskClasses({value: names[key] for key, value in values.items()}, pairs)


def _grey_values(sample: MaskSample) -> Counter[int]:
    seen = sample.all_colours
    return type(seen)({colour & 255: count for colour, count in seen.items() if _is_grey(colour)})


def _is_grey(colour: int) -> bool:
    return colour == (colour & 255) * 0x010101


def _name_two_values(place: str, seen: Counter[int], sample: MaskSample) -> dict[int, str]:
    if sample.grey_jpegs:
        raise InvalidDatasetError(
            f"{place}: has no list of classes and JPEG masks with greys between black and white, which are no class "
            "ids; export the masks again as PNG"
        )
    if not (set(seen) <= {0, 1} or set(seen) <= {0, VOID_VALUE}) or not set(seen) - {0}:
        raise InvalidDatasetError(_ask_for_values(place, seen))
    return {0: BACKGROUND, max(seen): FOREGROUND}


def _describe_two_values(named: dict[int, str]) -> str:
    taken = " and ".join(f"value {value} as {name}" for value, name in named.items())
    return (
        f"took {taken}; name them in a classes.csv or with {CLASSES_OPTION}, and exchange them with --fix "
        f"{Fix.INVERT_MASKS}"
    )


def _ask_for_values(place: str, seen: Counter[int]) -> str:
    shown = sorted(seen)[:256]
    special = {0: BACKGROUND, VOID_VALUE: "void"}
    lines = "\n".join(f"{value},{special.get(value, f'class-{value}')}" for value in shown)
    return (
        f"{place}: has no list of classes, and its masks hold {_list_shares(seen, str) or 'nothing that can be read'}; "
        f"name the values with {CLASSES_OPTION}, or in a classes.csv beside the folders, such as\n"
        f"Pixel Value,Class\n{lines}"
    )


def _ask_for_colours(place: str, sample: MaskSample) -> str:
    seen = sample.all_colours
    if seen and all(_is_grey(colour) for colour in seen):
        values = _list_shares(_grey_values(sample), str)
        return f"{place}: its masks are RGB but hold greys alone ({values}); use --fix {Fix.GREY_RGB_MASKS}"
    lines = "\n".join(f"class-{rank},{write_colour(one)}" for rank, (one, _) in enumerate(seen.most_common(MAX_SHOWN)))
    return (
        f"{place}: has no list of colours, and its masks hold {_list_shares(seen, write_colour) or 'none to be seen'}; "
        f"name them with {CLASSES_OPTION}, or in a class_dict.csv beside the folders, such as\nname,color\n{lines}"
    )


def _check_colours(place: str, colours: dict[int, str], sample: MaskSample, fixes: Fixes) -> None:
    if not sample.colours or any(seen.keys() <= colours.keys() for seen in sample.colours):
        return
    is_any_declared = any(seen.keys() & colours.keys() for seen in sample.colours)
    if Fix.NEAREST_COLOUR in fixes or (Fix.UNDECLARED_TO_VOID in fixes and is_any_declared):
        return
    declared = ", ".join(write_colour(colour) for colour in list(colours)[:MAX_SHOWN])
    raise InvalidDatasetError(
        f"{place}: not one of {len(sample.colours)} masks looked at holds only colours of its list ({declared}); they "
        f"hold {_list_shares(sample.all_colours, write_colour)}; give the right list with {CLASSES_OPTION}"
    )


def _check_offset(place: str, classes: dict[int, str], seen: Counter[int], fixes: Fixes) -> None:
    """Refuse values that are all one more or one less than the list's, where the one beyond its end is seen."""
    if not fixes.isdisjoint({Fix.VALUES_MINUS_ONE, Fix.VALUES_PLUS_ONE, Fix.UNDECLARED_TO_VOID}):
        return
    declared = sorted(classes.keys() - {VOID_VALUE})
    values = sorted(seen.keys() - {VOID_VALUE})
    if not values or not declared or declared != list(range(declared[0], declared[-1] + 1)) or declared[0] > 1:
        return
    first, last = declared[0], declared[-1]
    if values[0] > first and values[-1] == last + 1:
        fix, remedy = Fix.VALUES_MINUS_ONE, f"if they count from one more, use --fix {Fix.VALUES_MINUS_ONE}"
    elif values[0] == first - 1 and values[-1] < last:
        fix, remedy = Fix.VALUES_PLUS_ONE, f"if they count from one less, use --fix {Fix.VALUES_PLUS_ONE}"
    else:
        return
    beyond = last + 1 if fix is Fix.VALUES_MINUS_ONE else first - 1
    raise InvalidDatasetError(
        f"{place}: the list declares {first} to {last}, but the masks looked at hold {values[0]} to {values[-1]}; "
        f"{remedy}; otherwise add {beyond} to the list"
    )


def _invert(place: str, classes: dict[int, str]) -> dict[int, str]:
    if len(classes) != 2:
        raise InvalidDatasetError(
            f"{place}: has {len(classes)} classes, and --fix {Fix.INVERT_MASKS} exchanges two; leave it out"
        )
    return dict(zip(classes, reversed(classes.values()), strict=True))


def _list_shares(seen: Counter[int], write: Callable[[int], str]) -> str:
    shown = [f"{write(one)} ({100 * count / seen.total():.3g} %)" for one, count in seen.most_common(MAX_SHOWN)]
    more = len(seen) - len(shown)
    return ", ".join(shown) + (f" and {more} more" if more else "")
