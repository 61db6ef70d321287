"""Fault plans, the Toxiproxy control side, the ledger and the embedded Toxiproxy server."""
