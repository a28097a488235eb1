"""Provenance in the words of the W3C."""
