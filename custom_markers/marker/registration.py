"""Telling junifer of a marker or a data grabber by name.

junifer's own decorators (`junifer.api.decorators`) do the same, but importing them brings junifer's brain atlases and
with them templateflow, nilearn and scikit-learn: seconds that nobody needs who only lists layers or reads a YAML.
"""

from typing import TypeVar

from junifer.pipeline import PipelineComponentRegistry

Component = TypeVar("Component", bound=type)


def register_marker(marker: Component) -> Component:
    """Make a marker known to junifer by its class name, as `junifer.api.decorators.register_marker` does."""
    PipelineComponentRegistry().register(step="marker", klass=marker)
    return marker


def register_datagrabber(datagrabber: Component) -> Component:
    """Make a data grabber known to junifer by its class name, as `junifer.api.decorators.register_datagrabber` does."""
    PipelineComponentRegistry().register(step="datagrabber", klass=datagrabber)
    return datagrabber
