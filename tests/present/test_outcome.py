from flows.calibrate import BUILDABLE
from flows.outcome import RunReport, Trouble
from registry.remedies import MADE_OF_RAWS


def test_troubles_that_are_alike_are_told_a_few_times_and_counted():
    alike = [
        Trouble(f"isr of exposure={n}", "StepError", f"step dark failed on exposure {n} detector A: no time")
        for n in range(100)
    ]
    other = Trouble("isr of exposure=7", "crash", "its worker process was killed")
    lines = RunReport("night/1", n_failed=101, failures=[*alike, other]).render().splitlines()
    assert len(lines) == 7
    assert lines[1] == "failed:"
    assert lines[2].endswith("exposure 0 detector A: no time")
    assert lines[5] == "  and 97 more for the same reason"
    assert lines[6] == "  isr of exposure=7: crash: its worker process was killed"


def test_the_registry_advises_to_build_what_can_be_built():
    assert set(BUILDABLE) == MADE_OF_RAWS
