"""Settings of this room's property tests."""

from hypothesis import settings

# The machine that runs the tests is shared: a slow example says nothing about the code.
settings.register_profile("shared-machine", deadline=None)
settings.load_profile("shared-machine")
