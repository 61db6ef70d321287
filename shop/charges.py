"""What gateway, payment and bank say to each other about money. Card numbers never get into a log or an answer."""

from __future__ import annotations

from typing import Annotated

from pydantic import AfterValidator, BaseModel, Field, SecretStr

__all__ = ["Card", "Charge", "ChargeRequest"]


def _passes_luhn(number: SecretStr) -> SecretStr:
    """ISO/IEC 7812-1 annex B: from the right, every second digit doubled, digits of all added, divisible by ten."""
    digits = [int(digit) for digit in reversed(number.get_secret_value())]
    doubled = (sum(divmod(2 * digit, 10)) for digit in digits[1::2])
    if (sum(digits[::2]) + sum(doubled)) % 10:
        raise ValueError("not a card number")
    return number


def _is_digits(number: SecretStr) -> SecretStr:
    if not (number.get_secret_value().isascii() and number.get_secret_value().isdecimal()):
        raise ValueError("not a card number")
    return number


class Card(BaseModel):
    number: Annotated[
        SecretStr, Field(min_length=12, max_length=19), AfterValidator(_is_digits), AfterValidator(_passes_luhn)
    ]

    def revealed(self) -> dict[str, str]:
        """For the one place that sends it on."""
        return {"number": self.number.get_secret_value()}


class ChargeRequest(BaseModel):
    """Charge this card once per key."""

    idempotency_key: str = Field(min_length=1, max_length=200)
    order_id: str
    amount_cents: int = Field(gt=0)
    card: Card

    def revealed(self) -> dict[str, object]:
        return {**self.model_dump(), "card": self.card.revealed()}


class Charge(BaseModel):
    charge_id: str
    amount_cents: int
