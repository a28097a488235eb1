"""Asking the registry: `syntax` reads the text, `fields` names what may be asked for, `build` makes SQL, `run` asks."""
