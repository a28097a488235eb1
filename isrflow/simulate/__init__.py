"""Raw exposures with a known signature, for the demo, the tests and users' own cameras."""
