"""The traced system under test: gateway, inventory, payment, fulfillment, email, bank."""
