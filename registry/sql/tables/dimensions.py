"""What datasets are about."""

from __future__ import annotations

from sqlalchemy import CheckConstraint, Index, UniqueConstraint

from registry.sql.tables.columns import key, real, refers, table, whole, words

instrument = table(
    "instrument", key(), words("name"), real("rollover_s"), words("camera_name"), UniqueConstraint("name")
)

detector = table(
    "detector",
    key(),
    refers("instrument_id", "instrument.id"),
    whole("number"),
    words("name"),
    words("serial"),
    words("purpose"),
    UniqueConstraint("instrument_id", "number"),
)

physical_filter = table(
    "physical_filter",
    key(),
    refers("instrument_id", "instrument.id"),
    words("name"),
    words("band"),
    UniqueConstraint("instrument_id", "name"),
)

readout_mode = table("readout_mode", key(), words("canonical"), words("sha256"), UniqueConstraint("sha256"))

exposure = table(
    "exposure",
    key(),
    refers("instrument_id", "instrument.id"),
    whole("number"),
    words("obs_id"),
    whole("day_obs"),
    whole("seq_num"),
    refers("filter_id", "physical_filter.id"),
    refers("mode_id", "readout_mode.id"),
    words("obs_type"),
    words("object_name"),
    whole("begin_ns"),
    whole("end_ns"),
    whole("mid_ns"),
    real("exposure_time_s"),
    real("dark_time_s", nullable=True),
    real("ra_deg", nullable=True),
    real("dec_deg", nullable=True),
    words("attrs"),
    CheckConstraint("begin_ns <= mid_ns AND mid_ns <= end_ns", name="times_in_order"),
    UniqueConstraint("instrument_id", "number"),
    Index(None, "instrument_id", "day_obs", "seq_num"),
    Index(None, "instrument_id", "mid_ns"),
    # People ask for a day or a number without saying of which instrument.
    Index(None, "day_obs", "seq_num"),
    Index(None, "number"),
)
