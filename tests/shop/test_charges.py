"""Card numbers: checked, and kept to themselves."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from shop.charges import Card, ChargeRequest


@pytest.mark.parametrize("number", ["4242424242424242", "5555555555554444", "378282246310005"])
def test_card_numbers_pass(number: str) -> None:
    """Numbers that networks publish for tests."""
    assert Card.model_validate({"number": number}).revealed() == {"number": number}


@pytest.mark.parametrize(
    "number", ["4242424242424241", "1234", "4242-4242-4242-4242", "４２４２４２４２４２４２４２４２", ""]
)
def test_other_numbers_do_not(number: str) -> None:
    """A wrong check digit, a wrong length, anything but ASCII digits."""
    with pytest.raises(ValidationError):
        Card.model_validate({"number": number})


def test_a_number_does_not_show_by_accident() -> None:
    """Neither printed nor dumped."""
    request = ChargeRequest.model_validate(
        {"idempotency_key": "k", "order_id": "o", "amount_cents": 1, "card": {"number": "4242424242424242"}}
    )
    assert "4242" not in f"{request} {request!r} {request.model_dump()} {request.model_dump_json()}"
