"""The flags by which a request leaves out steps of a model's preprocessing."""

from pydantic import BaseModel

from atrous.bundle.preprocessing import Step


class DisabledSteps(BaseModel):
    """The four flags, as clients of either version send them; a step that a model does not have stays left out."""

    disable_preproc_auto_orient: bool | None = False
    disable_preproc_static_crop: bool | None = False
    disable_preproc_grayscale: bool | None = False
    disable_preproc_contrast: bool | None = False

    def skipped_steps(self) -> frozenset[Step]:
        """The steps whose flags are set."""
        flags = {
            Step.AUTO_ORIENT: self.disable_preproc_auto_orient,
            Step.STATIC_CROP: self.disable_preproc_static_crop,
            Step.GRAYSCALE: self.disable_preproc_grayscale,
            Step.CONTRAST: self.disable_preproc_contrast,
        }
        return frozenset(step for step, disabled in flags.items() if disabled)
