"""Requests that wait for a model are answered together."""
