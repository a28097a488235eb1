from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from astropy.io import fits

from isrflow.frame.fits import read_exposure


@pytest.fixture
def raw(raws: Path) -> Path:
    return max((raws / "raw" / "20260301").glob("*_A.fits"))


def test_missing_calibrations_are_all_listed_with_the_line_that_proceeds(isrflow, raw: Path, tmp_path: Path) -> None:
    typed = isrflow("run", raw, "--instrument", "tiny", "-o", "out.fits", code=1)
    for kind in ("bias", "dark", "flat", "defects"):
        assert f"wants --calib {kind}=FILE" in typed.err
    proceed = next(line for line in typed.err.splitlines() if line.startswith("  try: isrflow run"))
    assert not (tmp_path / "out.fits").exists()
    isrflow(*proceed.removeprefix("  try: isrflow ").split())
    assert read_exposure(tmp_path / "out.fits").image.dtype == np.float32


def test_a_second_without_is_added_to_the_first(isrflow, raw: Path) -> None:
    typed = isrflow("run", raw, "--instrument", "tiny", "--without", "bias,dark", "-o", "out.fits", code=1)
    proceed = next(line for line in typed.err.splitlines() if line.startswith("  try: isrflow run"))
    assert "--without bias,dark," in proceed
    isrflow(*proceed.removeprefix("  try: isrflow ").split())


def test_given_calibrations_are_used_and_named(isrflow, raw: Path, raws: Path) -> None:
    truth = raws / "truth"
    calibs = [f"--calib={kind}={truth / f'{kind}_A.fits'}" for kind in ("bias", "dark", "defects")]
    calibs.append(f"--calib=flat={truth / 'flat_A_r_01.fits'}")
    typed = isrflow("run", raw, "--instrument", "tiny", *calibs, "-o", "out.fits", "--json")
    assert {"bias", "dark", "flat", "defects"} == set(typed.json["calibrations"])
    steps = list(typed.json["steps"])
    assert steps.index("overscan") < steps.index("assembly") < steps.index("bias") < steps.index("flat")
    sky = np.median(read_exposure(Path("out.fits")).image)
    assert (
        100 < sky < 5000
    )  # the bias level of about 1000 adu and the simulated sky differ by far more than this is wide


def test_show_draws_the_exposure_after_a_step(isrflow, raw: Path, tmp_path: Path) -> None:
    options = ("--instrument", "tiny", "--without", "bias,dark,flat,defects", "-o", "out.fits")
    typed = isrflow("run", raw, *options, "--show", "overscan,assembly")
    for step in ("overscan", "assembly"):
        assert f"picture: out_{step}.png" in typed.out
        assert (tmp_path / f"out_{step}.png").read_bytes().startswith(b"\x89PNG")
    typed = isrflow("run", raw, *options, "--force", "--show", "overscn", code=1)
    assert "did you mean overscan?" in typed.err


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--set", "overscan.ordr=3"], "did you mean 'order'?"),
        (["--set", "oversan.order=3"], "did you mean 'overscan'?"),
        (["--set", "overscan"], "not a setting: 'overscan'"),
        (["--without", "bais"], "did you mean 'bias'?"),
        (["--calib", "bais=x.fits"], "did you mean bias?"),
        (["--calib", "bias=nowhere.fits"], "nowhere.fits"),
        (["--instrument", "tinny"], "isrflow ships"),
        (["--config", "nowhere.yaml"], "nowhere.yaml cannot be read"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_a_wrong_option_names_what_is_meant_and_writes_nothing(
    isrflow, raw: Path, tmp_path: Path, options: list[str], told: str
) -> None:
    typed = isrflow("run", raw, "--instrument", "tiny", *options, "-o", "out.fits", code=1)
    assert told in typed.err
    assert not (tmp_path / "out.fits").exists()


def test_settings_are_layered_file_below_command_line(isrflow, raw: Path, tmp_path: Path) -> None:
    (tmp_path / "mine.yaml").write_text("overscan: {fit_type: MEAN_PER_ROW}\nstatistics: {enabled: false}\n")
    options = ["--instrument", "tiny", "--without", "bias,dark,flat,defects", "--config", "mine.yaml", "-o", "out.fits"]
    typed = isrflow("run", raw, *options, "--set", "statistics.enabled=true", "--json")
    assert "statistics" in typed.json["steps"]
    history = "\n".join(map(str, fits.getheader("out.fits").get("HISTORY", [])))
    assert "MEAN_PER_ROW" in history


def test_an_existing_product_is_not_overwritten_unless_forced(isrflow, raw: Path, tmp_path: Path) -> None:
    (tmp_path / "out.fits").write_text("mine")
    options = ("--instrument", "tiny", "--without", "bias,dark,flat,defects", "-o", "out.fits")
    assert "exists already" in isrflow("run", raw, *options, code=1).err
    assert (tmp_path / "out.fits").read_text() == "mine"
    isrflow("run", raw, *options, "--force")


def test_a_damaged_raw_is_refused(isrflow, raw: Path, tmp_path: Path) -> None:
    damaged = bytearray(raw.read_bytes())
    damaged[-3000] ^= 255
    (tmp_path / "bad.fits").write_bytes(damaged)
    options = ("--instrument", "tiny", "--without", "bias,dark,flat,defects", "-o", "out.fits")
    typed = isrflow("run", "bad.fits", *options, code=1)
    assert "bad.fits" in typed.err
    assert "DATASUM" in typed.err


def test_a_lone_frame_is_corrected_by_its_own_section_cards(isrflow, tmp_path: Path) -> None:
    rng = np.random.default_rng(3)
    pixels = np.full((40, 60), 700.0) + rng.normal(0, 2, (40, 60))
    pixels[:, :50] += 1234.0  # light; the last ten columns are overscan
    frame = fits.PrimaryHDU(np.round(pixels).astype(np.uint16))
    cards = {"BIASSEC": "[51:60,1:40]", "TRIMSEC": "[1:50,1:40]", "GAIN": 1.5, "RDNOISE": 3.0, "EXPTIME": 10.0}
    frame.header.update(cards)
    frame.writeto(tmp_path / "lone.fits")
    isrflow("run", "lone.fits", "--without", "bias,dark,flat,defects", "-o", "out.fits")
    product = read_exposure(tmp_path / "out.fits")
    assert product.image.shape == (40, 50)
    # 2000 pixels of noise 2 adu: the median is good to 2 * 1.25 / sqrt(2000) = 0.06 adu; rounding adds as much
    assert abs(np.median(product.image) - 1234.0) < 1.0


def test_recipe_is_a_table_of_contents(isrflow) -> None:
    rows = isrflow("recipe", "--json").json
    names = [row["step"] for row in rows]
    assert names.index("overscan") < names.index("assembly") < names.index("dark") < names.index("flat")
    flat = rows[names.index("flat")]
    assert (flat["on"], flat["function"], flat["needs"]) == ("yes", "divide_by_flat", ["flat"])
    lines = isrflow("recipe").out.splitlines()
    assert lines[0].split("\t")[:4] == ["step", "on", "function", "needs"]
    assert len(lines) == len(rows) + 1
    assert not any("…" in line for line in lines)


def test_recipe_lists_every_setting_with_default_and_meaning(isrflow) -> None:
    rows = isrflow("recipe", "--settings", "--json").json
    assert all(row["means"] for row in rows)
    mine = isrflow("recipe", "overscan", "--settings", "--set", "overscan.order=3", "--json").json
    order = next(row for row in mine if row["setting"] == "overscan.order")
    assert order["value"] == "3"
    assert order["default"] != "3"
    assert "did you mean overscan?" in isrflow("recipe", "overscn", code=1).err
