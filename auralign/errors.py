"""The errors that a command prints without a traceback."""


class AuralignError(Exception):
    """Something that the reader can mend; the message says what, in which file, what was allowed and what to do."""


class ConfigError(AuralignError):
    """A comparison's configuration is wrong."""


class DataError(AuralignError):
    """Features, responses or stimuli cannot be used together."""


class DatasetError(AuralignError):
    """A recipe or a dataset is not as it should be, or its files cannot be had."""
