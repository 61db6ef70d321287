"""What every test shares."""

from __future__ import annotations

from hypothesis import settings

# No test is timed: these machines are shared, and a slow example is not a wrong one.
settings.register_profile("tracegap", deadline=None)
settings.load_profile("tracegap")
