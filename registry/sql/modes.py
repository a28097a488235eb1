"""What kind of transaction is beginning: execution options that `database` sets and both engines read."""

from __future__ import annotations

READ_ONLY = "registry_read_only"
"""The engine was opened for reading only."""
WRITES = "registry_writes"
"""The transaction changes something."""
DURABLE = "registry_durable"
"""Its commit must survive a power cut."""
BESIDE = "registry_beside"
"""It changes only rows that are its own, and need not be alone."""
SHARED = "registry_shared"
"""It may run at the same time as others of its kind, but not as one that must be alone."""
BUSY_TIMEOUT_S = 60.0
"""How long a writer waits for another one."""
