"""Everything that this package raises on purpose; bad rows are data and never raise."""


class FmarError(Exception):
    """Root of the tree: its message is one line that says what to do."""


class ConfigError(FmarError):
    """A setting, argument or installed part is missing or wrong."""


class ContractError(FmarError):
    """A table or frame does not have the columns that its contract declares."""


class InputError(FmarError):
    """A file or folder that a person named cannot be used as a whole."""


class ModelError(FmarError):
    """No classifier can be loaded, or it does not fit the features of this code."""


class AccessDenied(FmarError):  # noqa: N818 - says what happened, as the API does
    """The caller may not see or do what was asked."""
