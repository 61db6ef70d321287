"""The embedded Toxiproxy-compatible server: one file per toxic."""
