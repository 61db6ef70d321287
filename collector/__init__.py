"""OTLP in (gRPC, HTTP), safely on disk before it answers, forwarded if asked."""
