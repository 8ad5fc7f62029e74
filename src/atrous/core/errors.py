"""Everything that can go wrong for a reason a person can act on.

AtrousError
├── InvalidInputError        400, exit 2   the caller sent or asked for something that cannot be
│   ├── InvalidImageError                  a picture that cannot be decoded
│   ├── InvalidDatasetError                a dataset folder, mask or label file
│   ├── InvalidBundleError                 a model folder that does not verify
│   └── TooLargeError        413           over a stated limit
├── UnauthorizedError        401, exit 4   no key, or one that is not valid here
│   └── ForbiddenError       403           the key is valid but has not the scope for this
├── NotFoundError            404, exit 3   nothing of that name
├── ConflictError            409, exit 5   it exists already, or its state forbids this
├── UnavailableError         503, exit 6   cannot be had now; the same request may succeed later
│   └── TooManyRequestsError 429           a key asked more often than it may
├── BrokenModelError         500, exit 9   a published model that cannot be used; the operator must mend it
├── MissingExtraError        501, exit 7   this installation lacks an optional part
├── StorageError             507, exit 8   the disk refused a write
└── StoppedError                  exit 130 a person stopped the work; it can be resumed

A message is one sentence: where, what, what to do. Anything that is not an AtrousError is a bug.
"""


class AtrousError(Exception):
    """Base of all errors with a reason a person can act on."""

    status = 500
    exit_code = 1


class InvalidInputError(AtrousError):
    """The caller sent or asked for something that cannot be."""

    status = 400
    exit_code = 2


class InvalidImageError(InvalidInputError):
    """A picture that cannot be decoded or has a shape nobody can use."""


class InvalidDatasetError(InvalidInputError):
    """A dataset folder, label mask or label file that cannot be read as what it claims to be."""


class InvalidBundleError(InvalidInputError):
    """A model folder that is incomplete, altered or contradicts itself."""


class TooLargeError(InvalidInputError):
    """Over a stated limit of bytes, pixels or images."""

    status = 413


class UnauthorizedError(AtrousError):
    """No key was sent, or one that is not valid here."""

    status = 401
    exit_code = 4


class ForbiddenError(UnauthorizedError):
    """The key is valid here but has not the scope that this needs."""

    status = 403


class NotFoundError(AtrousError):
    """Nothing of that name is visible to the caller."""

    status = 404
    exit_code = 3


class ConflictError(AtrousError):
    """It exists already, or its state forbids this."""

    status = 409
    exit_code = 5


class UnavailableError(AtrousError):
    """It cannot be had now; the same request may succeed later."""

    status = 503
    exit_code = 6


class TooManyRequestsError(UnavailableError):
    """A key asked more often than it may.

    Attributes:
        retry_after_s: whole seconds until it may ask again.
    """

    status = 429

    def __init__(self, message: str, retry_after_s: int) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class BrokenModelError(AtrousError):
    """A published model whose bundle cannot be used; the caller cannot mend it, and asking again does not help."""

    status = 500
    exit_code = 9


class MissingExtraError(AtrousError):
    """This installation lacks an optional part."""

    status = 501
    exit_code = 7


class StorageError(AtrousError):
    """The disk refused a write; what was there before is intact."""

    status = 507
    exit_code = 8


class StoppedError(AtrousError):
    """A person stopped the work; it can be resumed."""

    exit_code = 130
