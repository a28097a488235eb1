"""The newer order on the command line."""

from __future__ import annotations


def test_the_newer_recipe_is_printed_as_a_table_of_contents(isrflow) -> None:
    rows = {row["step"]: row for row in isrflow("recipe", "--lsst", "--json").json}
    assert list(rows)[:4] == ["header", "comparison", "bias_voltage", "gain_source"]
    assert rows["overscan_parallel"]["function"] == "subtract_parallel_overscan"
    assert rows["electrostatic"]["on"] == "no"


def test_the_cameras_settings_for_the_newer_recipe_are_laid_over_it(isrflow) -> None:
    rows = {row["step"]: row["on"] for row in isrflow("recipe", "--lsst", "--instrument", "lupine", "--json").json}
    assert (rows["deferred_charge"], rows["binned"]) == ("no", "yes")


def test_steps_of_the_other_recipe_are_refused_with_the_nearest(isrflow) -> None:
    typed = isrflow("recipe", "--lsst", "--set", "overscan.order=3", code=1)
    assert "no step 'overscan' in IsrLsstConfig" in typed.err


def test_a_single_file_is_corrected_in_the_newer_order(isrflow, raws) -> None:
    raw = min((raws / "raw").rglob("*.fits*"))
    ordered = ("run", raw, "--instrument", "tiny", "--recipe", "lsst", "--without", "bias,dark,defects,flat")
    typed = isrflow(*ordered, "-o", "out.fits", code=1)
    assert "step gain_source wants --calib ptc=FILE" in typed.err
    assert "gain_source,linearity" not in typed.err  # which it cannot do without
    assert f"isrflow run {raw} --instrument tiny --recipe lsst" in typed.err
    detector = "A" if "A" in raw.name else "B"
    tables = [f"{kind}={raws / 'truth' / f'{kind}_{detector}.fits'}" for kind in ("ptc", "linearizer", "crosstalk")]
    calibs = [item for table in tables for item in ("--calib", table)]
    detector_option = ("--detector", detector)
    done = isrflow(*ordered, *calibs, *detector_option, "-o", "out.fits", "--json").json
    assert done["unit"] == "electron"
    assert list(done["steps"])[:3] == ["header", "comparison", "gain_source"]
