"""The fields by which a request asks for another form of its masks."""

from typing import Annotated

from pydantic import BaseModel, Field, FiniteFloat

from atrous.runtime.outlines import OutlineWish
from atrous.server.forms import Form, Masks

# More than any picture has.
MOST_AREA_PX = 1_000_000_000
MOST_SIMPLIFY_PX = 100


class AskedForm(BaseModel):
    """Ways to ask for less, or for other words, than both masks as pictures."""

    masks: Annotated[
        Masks | None,
        Field(
            description="`label` leaves out the confidence, `none` both masks; `rle` tells the pixels of each class, "
            "`polygons` the outline of each region."
        ),
    ] = None
    min_area: Annotated[
        int | None, Field(ge=0, le=MOST_AREA_PX, description="Leave out smaller regions, in pixels; of `polygons`.")
    ] = None
    simplify: Annotated[
        FiniteFloat | None,
        Field(ge=0, le=MOST_SIMPLIFY_PX, description="How far outlines may be off, in pixels; of `polygons`."),
    ] = None

    def form(self) -> Form:
        """How the masks are to be told."""
        outlines = OutlineWish(min_area_px=self.min_area or 0, simplify_px=self.simplify or 0.0)
        return Form(masks=self.masks or Masks.BOTH, outlines=outlines)
