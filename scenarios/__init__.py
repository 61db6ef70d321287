"""Locust traffic: user journeys, load shapes, and the tracing of the generator itself."""
