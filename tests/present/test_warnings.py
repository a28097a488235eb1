import logging

from flows.present.warnings import warnings_shown

log = logging.getLogger("isrflow.steps.some_step")


def test_the_thousandth_copy_of_a_warning_is_not_printed_but_another_one_is(capsys):
    with warnings_shown():
        for number in range(1000):
            log.warning("exposure %d: no level", number)
        log.warning("something else")
    lines = capsys.readouterr().err.splitlines()
    assert lines == [
        "warning: exposure 0: no level",
        "warning: exposure 1: no level",
        "warning: exposure 2: no level; further ones of this kind are not shown",
        "warning: something else",
    ]


def test_information_is_not_printed(capsys):
    with warnings_shown():
        log.info("all is well")
    assert capsys.readouterr().err == ""
