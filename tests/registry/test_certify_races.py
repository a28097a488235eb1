"""Many certify the same at once: one wins, and every loser is told who did."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

from registry.errors import ValidityOverlap
from registry.sql.calibrations import certify
from registry.sql.collections import register_collection
from registry.sql.database import make_engine, write
from registry.sql.validity_rows import validity_rows
from registry.timespan import Timespan


def test_of_many_certifiers_one_wins_and_the_others_are_told_who_did(world):
    refs = [world.calib(f"run/{i}") for i in range(6)]
    with world.write() as connection:
        register_collection(connection, "calib", "CALIBRATION")

    def attempt(number: int) -> str:
        engine = make_engine(world.address, busy_timeout_s=20.0)
        try:
            with write(engine) as connection:
                span = Timespan(10 - number, 20 + number)
                certify(connection, "calib", [refs[number]], span, actor=f"person{number}")
        except ValidityOverlap as error:
            return str(error)
        else:
            return "won"
        finally:
            engine.dispose()

    with ThreadPoolExecutor(6) as pool:
        told = list(pool.map(attempt, range(6)))
    (winner,) = [number for number, text in enumerate(told) if text == "won"]
    with world.read() as connection:
        (row,) = validity_rows(connection, "calib")
    assert row.dataset == refs[winner].id
    losers = [text for text in told if text != "won"]
    assert all(f"certified by person{winner} at 20" in text and "--mode" in text for text in losers)
