"""Steps of instrument signature removal: one file each; steps know exposures, and never each other."""
