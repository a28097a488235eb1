"""Views for other people's questions, by revision; never edit a released one.

``obscore`` has the columns of ObsCore 1.1, the ``voprov_*`` views the classes and relations of the IVOA Provenance
Data Model 1.0 with their attributes in lower case: what a TAP service needs. They hold one text in two spellings.

*Time.* The registry counts TAI nanoseconds; ``t_min`` and ``t_max`` are MJD in UTC, with the leap seconds known in
2026 (the last is that of 2017). Within a leap second, which MJD cannot tell from the one after it, the day of UTC has
86400 s here. Moments of provenance are texts of UTC to the millisecond.

*Ids.* Datasets and quanta are ``urn:uuid:`` of their own. Configurations and software have the UUID (version 8) made
of the first digits of their SHA-256, which anyone who has the content can make again.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import date
from typing import Literal

Dialect = Literal["sqlite", "postgresql"]

_LEAP_DAYS_0002 = (
    *("1972-01-01", "1972-07-01", "1973-01-01", "1974-01-01", "1975-01-01", "1976-01-01", "1977-01-01", "1978-01-01"),
    *("1979-01-01", "1980-01-01", "1981-07-01", "1982-07-01", "1983-07-01", "1985-07-01", "1988-01-01", "1990-01-01"),
    *("1991-01-01", "1992-07-01", "1993-07-01", "1994-07-01", "1996-01-01", "1997-07-01", "1999-01-01", "2006-01-01"),
    *("2009-01-01", "2012-07-01", "2015-07-01", "2017-01-01"),
)
_BANDS_M = {
    # Rubin, Science Book (2009), table 2.1
    "u": (320e-9, 400e-9),
    "g": (400e-9, 552e-9),
    "r": (552e-9, 691e-9),
    "i": (691e-9, 818e-9),
    "z": (818e-9, 922e-9),
    "y": (950e-9, 1080e-9),
    # between half-power points, Bessell (2005), table 1
    "U": (333.8e-9, 398.8e-9),
    "B": (391.6e-9, 480.6e-9),
    "V": (502.8e-9, 586.8e-9),
    "R": (561.7e-9, 719.7e-9),
    "I": (721.0e-9, 875.0e-9),
}
_IMAGES = "('raw', 'post_isr', 'post_isr_bin8', 'post_isr_bin64', 'pre_interp')"
_REAL: Mapping[Dialect, str] = {"sqlite": "REAL", "postgresql": "DOUBLE PRECISION"}
_WHOLE: Mapping[Dialect, str] = {"sqlite": "INTEGER", "postgresql": "BIGINT"}


def _uuid(column: str, dialect: Dialect) -> str:
    """Spell a UUID as text with dashes."""
    if dialect == "postgresql":
        return f"CAST({column} AS TEXT)"
    cuts = ((1, 8), (9, 4), (13, 4), (17, 4), (21, 12))
    return "(" + " || '-' || ".join(f"substr({column}, {start}, {length})" for start, length in cuts) + ")"


def _urn(column: str, dialect: Dialect) -> str:
    return f"('urn:uuid:' || {_uuid(column, dialect)})"


def _hash_urn(sha256: str) -> str:
    """Spell the id of something known by its SHA-256: a UUID of version 8 of its first digits."""
    first = f"substr({sha256}, 1, 8) || '-' || substr({sha256}, 9, 4)"
    rest = f"substr({sha256}, 14, 3) || '-8' || substr({sha256}, 18, 3) || '-' || substr({sha256}, 21, 12)"
    return f"('urn:uuid:' || {first} || '-8' || {rest})"


def _utc_ns(column: str) -> str:
    """Spell TAI nanoseconds as those of UTC, as if there had never been a leap second."""
    whens = []
    for number, day in enumerate(_LEAP_DAYS_0002):
        offset_s = 10 + number
        start_s = (date.fromisoformat(day) - date(1970, 1, 1)).days * 86400 + offset_s
        whens.append(f"WHEN {column} >= {start_s}000000000 THEN {offset_s}000000000")
    return f"({column} - (CASE {' '.join(reversed(whens))} ELSE 10000000000 END))"


def _mjd(column: str, dialect: Dialect) -> str:
    return f"(40587.0 + CAST({_utc_ns(column)} AS {_REAL[dialect]}) / 86400000000000.0)"


def _moment(column: str, dialect: Dialect) -> str:
    """Spell a moment as text: ISO 8601, UTC, milliseconds."""
    seconds, milliseconds = f"({_utc_ns(column)} / 1000000000)", f"({_utc_ns(column)} / 1000000)"
    if dialect == "sqlite":
        text = f"strftime('%Y-%m-%dT%H:%M:%S', {seconds}, 'unixepoch')"
        return f"({text} || printf('.%03d', {milliseconds} % 1000))"
    whole = f"to_char(to_timestamp({seconds}) AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')"
    return f"({whole} || '.' || lpad(CAST(mod({milliseconds}, 1000) AS TEXT), 3, '0'))"


def _edge(side: int, dialect: Dialect) -> str:
    """Spell an edge of the band of a filter in metres; NULL if the band is not known."""
    whens = " ".join(f"WHEN '{band}' THEN {edges[side]!r}" for band, edges in _BANDS_M.items())
    return f"CAST(CASE f.band {whens} END AS {_REAL[dialect]})"


def _obscore(dialect: Dialect) -> str:
    real, whole = _REAL[dialect], _WHOLE[dialect]
    repository = f"(SELECT {_uuid('r.uuid', dialect)} FROM repository AS r)"
    columns = {
        "dataproduct_type": "'image'",
        "calib_level": f"CAST(CASE dt.name WHEN 'raw' THEN 0 ELSE 1 END AS {whole})",
        "obs_collection": "run.name",
        "obs_id": "e.obs_id",
        "obs_publisher_did": f"('ivo://isrflow/' || {repository} || '?' || {_uuid('d.uuid', dialect)})",
        "access_url": f"(CASE a.in_place WHEN 1 THEN 'file://' || a.path "
        f"ELSE 'isrflow://' || {repository} || '/' || a.path END)",
        "access_format": "'application/fits'",
        "access_estsize": "((a.size + 999) / 1000)",
        "target_name": "nullif(e.object_name, '')",
        "s_ra": "e.ra_deg",
        "s_dec": "e.dec_deg",
        "s_fov": f"CAST(NULL AS {real})",
        "s_region": "CAST(NULL AS TEXT)",
        "s_resolution": f"CAST(NULL AS {real})",
        "s_xel1": f"CAST(NULL AS {whole})",
        "s_xel2": f"CAST(NULL AS {whole})",
        "t_min": _mjd("e.begin_ns", dialect),
        "t_max": _mjd("e.end_ns", dialect),
        "t_exptime": "e.exposure_time_s",
        "t_resolution": "e.exposure_time_s",
        "t_xel": f"CAST(1 AS {whole})",
        "em_min": _edge(0, dialect),
        "em_max": _edge(1, dialect),
        "em_res_power": f"CAST(NULL AS {real})",
        "em_xel": f"CAST(1 AS {whole})",
        "o_ucd": "'phot.count'",
        "pol_states": "CAST(NULL AS TEXT)",
        "pol_xel": f"CAST(NULL AS {whole})",
        "facility_name": "CAST(NULL AS TEXT)",
        "instrument_name": "i.name",
    }
    return _select(
        columns,
        "dataset AS d JOIN artifact AS a ON a.dataset_id = d.id JOIN dataset_type AS dt ON dt.id = d.type_id "
        "JOIN collection AS run ON run.id = d.run_id JOIN exposure AS e ON e.id = d.exposure_id "
        "JOIN physical_filter AS f ON f.id = e.filter_id JOIN instrument AS i ON i.id = d.instrument_id "
        f"WHERE d.status = 'LIVE' AND d.exposure_id <> 0 AND dt.name IN {_IMAGES} "
        "AND e.obs_type NOT IN ('bias', 'dark', 'flat')",
    )


def _voprov(dialect: Dialect) -> dict[str, str]:
    quantum, dataset = _urn("q.uuid", dialect), _urn("d.uuid", dialect)
    latest = "JOIN quantum_attempt AS a ON a.quantum_id = q.id AND a.number = q.attempt"
    published = "d.status <> 'STAGED'"
    used = (
        "(SELECT quantum_id, dataset_id, role FROM quantum_input UNION ALL SELECT q.id, m.dataset_id, m.role "
        "FROM quantum AS q JOIN calib_set_member AS m ON m.set_id = q.calib_set_id)"
    )
    made = f"quantum_output AS o JOIN quantum AS q ON q.id = o.quantum_id JOIN dataset AS d ON d.id = o.dataset_id AND {published}"  # noqa: E501
    operator = "('urn:isrflow:agent:' || run.owner)"
    started, ended = _moment("a.started_ns", dialect), _moment("a.ended_ns", dialect)
    return {
        "voprov_activity": _select(
            {
                "id": quantum,
                "name": "(q.task || ' ' || run.name)",
                "starttime": started,
                "endtime": ended,
                "comment": "(a.outcome || ', attempt ' || CAST(a.number AS TEXT) || ' by ' || a.worker)",
                "description": "('urn:isrflow:task:' || q.task)",
            },
            f"quantum AS q {latest} JOIN collection AS run ON run.id = q.run_id",
        ),
        "voprov_entity": _select(
            {
                "id": dataset,
                "name": "(dt.name || ' ' || run.name)",
                "location": "a.path",
                "generatedattime": _moment("d.created_ns", dialect),
                "invalidatedattime": "CAST(NULL AS TEXT)",
                "comment": "('sha256:' || a.sha256)",
                "description": "('urn:isrflow:type:' || dt.name)",
            },
            "dataset AS d JOIN dataset_type AS dt ON dt.id = d.type_id JOIN collection AS run ON run.id = d.run_id "
            f"LEFT JOIN artifact AS a ON a.dataset_id = d.id WHERE {published}",
        ),
        "voprov_used": _select(
            {
                "activity": quantum,
                "entity": dataset,
                "role": "u.role",
                "time": started,
                "description": "('urn:isrflow:usage:' || q.task || ':' || u.role)",
            },
            f"quantum AS q {latest} JOIN {used} AS u ON u.quantum_id = q.id JOIN dataset AS d ON d.id = u.dataset_id",
        ),
        "voprov_wasgeneratedby": _select(
            {
                "entity": dataset,
                "activity": quantum,
                "role": "o.role",
                "time": ended,
                "description": "('urn:isrflow:generation:' || q.task || ':' || o.role)",
            },
            f"{made} {latest}",
        ),
        "voprov_wasderivedfrom": _select(
            {"generatedentity": dataset, "usedentity": _urn("s.uuid", dialect)},
            f"{made} JOIN {used} AS u ON u.quantum_id = q.id JOIN dataset AS s ON s.id = u.dataset_id",
        ),
        "voprov_agent": (
            f"SELECT {_hash_urn('s.sha256')} AS id, 'software environment' AS name, 'SoftwareAgent' AS type, "
            "s.canonical AS comment FROM software_env AS s UNION SELECT 'urn:isrflow:agent:' || p.name, p.name, "
            "'Person', CAST(NULL AS TEXT) FROM (SELECT owner AS name FROM collection UNION "
            "SELECT actor FROM registry_event) AS p"
        ),
        "voprov_wasassociatedwith": (
            f"SELECT {quantum} AS activity, {_hash_urn('s.sha256')} AS agent, 'software' AS role "
            f"FROM quantum AS q {latest} JOIN software_env AS s ON s.id = q.software_id UNION ALL "
            f"SELECT {quantum}, {operator}, 'operator' FROM quantum AS q {latest} "
            "JOIN collection AS run ON run.id = q.run_id"
        ),
        "voprov_wasattributedto": _select(
            {"entity": dataset, "agent": operator, "role": "'operator'"},
            f"dataset AS d JOIN collection AS run ON run.id = d.run_id WHERE {published}",
        ),
        "voprov_wasconfiguredby": _select(
            {"activity": quantum, "artefacttype": "'ConfigFile'", "configfile": _hash_urn("c.sha256")},
            f"quantum AS q {latest} JOIN config_blob AS c ON c.id = q.config_id",
        ),
        "voprov_configfile": _select(
            {
                "id": _hash_urn("c.sha256"),
                "name": "'recipe and settings'",
                "location": "('config_blob/' || c.sha256)",
                "comment": "c.canonical",
            },
            "config_blob AS c",
        ),
        "voprov_activitydescription": _select(
            {"id": "('urn:isrflow:task:' || q.task)", "name": "q.task", "type": "'Calibration'"},
            "(SELECT DISTINCT task FROM quantum) AS q",
        ),
        "voprov_entitydescription": _select(
            {"id": "('urn:isrflow:type:' || dt.name)", "name": "dt.name", "type": "'DatasetDescription'"},
            "dataset_type AS dt",
        ),
        "voprov_usagedescription": _select(
            {
                "id": "('urn:isrflow:usage:' || p.task || ':' || p.role)",
                "role": "p.role",
                "activitydescription": "('urn:isrflow:task:' || p.task)",
                "type": "(CASE p.is_calibration WHEN 1 THEN 'Calibration' ELSE 'Main' END)",
            },
            "(SELECT q.task, i.role, 0 AS is_calibration FROM quantum AS q JOIN quantum_input AS i "
            "ON i.quantum_id = q.id UNION SELECT q.task, m.role, 1 FROM quantum AS q JOIN calib_set_member AS m "
            "ON m.set_id = q.calib_set_id) AS p",
        ),
        "voprov_generationdescription": _select(
            {
                "id": "('urn:isrflow:generation:' || p.task || ':' || p.role)",
                "role": "p.role",
                "activitydescription": "('urn:isrflow:task:' || p.task)",
                "type": "'Main'",
            },
            "(SELECT DISTINCT q.task, o.role FROM quantum AS q JOIN quantum_output AS o ON o.quantum_id = q.id) AS p",
        ),
    }


def _select(columns: Mapping[str, str], source: str) -> str:
    return f"SELECT {', '.join(f'{sql} AS {name}' for name, sql in columns.items())} FROM {source}"


def _views(dialect: Dialect) -> dict[str, str]:
    return {"obscore": _obscore(dialect), **_voprov(dialect)}


VIEW_NAMES_0002: tuple[str, ...] = tuple(_views("sqlite"))
VIEWS_0002: Mapping[str, tuple[str, ...]] = {
    dialect: tuple(f"CREATE VIEW {name} AS {query}" for name, query in _views(dialect).items())
    for dialect in ("sqlite", "postgresql")
}
# ruff: noqa: S608 - the SQL is put together from constants of this file
