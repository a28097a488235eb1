"""Bringing in what other systems keep, in the registry's own words."""
