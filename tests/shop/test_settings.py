"""The environment of a service."""

from __future__ import annotations

import pytest

from shop.settings import Settings, UnusableSettings


def test_a_missing_variable_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also when it is set to nothing."""
    monkeypatch.setenv("BANK_URL", "")
    with pytest.raises(UnusableSettings, match="BANK_URL"):
        Settings.from_environment().require("BANK_URL")


def test_a_value_out_of_range_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    """With the variable and the value."""
    monkeypatch.setenv("SHOP_DELIVERY", "exactly_once")
    with pytest.raises(UnusableSettings, match="SHOP_DELIVERY='exactly_once'"):
        Settings.from_environment()
