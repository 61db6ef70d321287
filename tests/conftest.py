"""What every test shares."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import settings

# No test is timed: these machines are shared, and a slow example is not a wrong one.
settings.register_profile("tracegap", deadline=None)
settings.load_profile("tracegap")

GOLDEN = Path(__file__).parent / "golden"


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption(
        "--update-golden",
        action="store_true",
        help="write tests/golden anew; then read the difference before committing",
    )


@pytest.fixture
def assert_golden(request: pytest.FixtureRequest) -> Callable[[str, str], None]:
    """Called with (name, text): the text equals tests/golden/<name>, to the byte."""

    def check(name: str, actual: str) -> None:
        path = GOLDEN / name
        if request.config.getoption("--update-golden"):
            path.write_text(actual, encoding="utf-8")
            pytest.skip(f"wrote {name}: nothing was compared")
        assert path.exists(), f"no golden file {name}: --update-golden writes it"
        assert actual == path.read_text(encoding="utf-8")

    return check
