"""Catalogue: what is known of models."""
