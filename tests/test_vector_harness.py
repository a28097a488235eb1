"""The harness of the reference vectors judges as it says."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from isrflow.frame.mask import mask_bits
from tests.vectors.conditions import undocumented
from tests.vectors.harness import Adapter, Outputs, Vector, Where, bare_name, run_vector
from tests.vectors.summary import count_vectors


def vector(scalars=None, **arrays) -> Vector:
    entry = {"function": "f(x)", "params": {}, "arrays": arrays, "scalar_outputs": scalars}
    made = Vector("room/one", Path(), entry, {"BAD": 3, "SAT": 0})
    made.__dict__["arrays"] = arrays
    return made


def judge(made: Vector, outputs: Outputs):
    return run_vector(made, Adapter(("f(*",), lambda params: True, lambda names: True, lambda vector: outputs))


PICTURE = np.array([[1.0, 1000.0]], np.float32)


def test_rounding_of_the_largest_value_is_forgiven_and_more_is_not() -> None:
    made = vector(out_image=PICTURE)
    assert not judge(made, Outputs(out_image=PICTURE + np.float32(2e-4))).failures
    assert judge(made, Outputs(out_image=PICTURE + np.float32(1e-3))).failures


def test_masks_are_compared_bit_for_bit_by_plane_name() -> None:
    made = vector(out_mask=np.array([[8, 1, 0]], np.int32))
    ours = np.array([[mask_bits("BAD"), mask_bits("SAT"), 0]], np.int32)
    assert not judge(made, Outputs(out_mask=ours)).failures
    assert judge(made, Outputs(out_mask=ours * 0)).failures


def test_an_output_that_is_not_returned_fails() -> None:
    found = judge(vector({"a": 1.0}, out_image=PICTURE), Outputs())
    assert [text.split(":")[0] for text in found.failures] == ["out_image", "a"]


def test_scalars_are_compared_through_lists_and_mappings() -> None:
    made = vector({"result": {"pair": [1.0, "NaN"], "flag": True, "none": None, "text": "adu"}})
    good = {"result": {"pair": (1.0, np.nan), "flag": np.True_, "none": None, "text": "adu"}}
    assert not judge(made, Outputs(scalars=good, double=True)).failures
    good["result"]["pair"] = (1.0, 2.0)
    assert judge(made, Outputs(scalars=good, double=True)).failures == ["result.pair[1]: 2.0, expected 'NaN'"]


def test_a_difference_on_purpose_counts_only_where_there_is_one() -> None:
    made = vector({"a": 1.0, "b": 2.0})
    found = judge(made, Outputs(scalars={"a": 1.0, "b": 3.0}, differs={"a": "Heading", "b": "Heading"}, double=True))
    assert (found.failures, found.left_out) == ([], {"b": "Heading"})


def test_pixels_outside_a_difference_on_purpose_are_still_compared() -> None:
    made = vector(out_image=PICTURE)
    here = Where("Heading", np.array([[True, False]]))
    found = judge(made, Outputs(out_image=PICTURE + np.array([[5, 0]], np.float32), differs={"out_image": here}))
    assert (found.failures, found.left_out) == ([], {"out_image": "Heading"})
    with pytest.raises(AssertionError, match="outside the pixels of 'Heading'"):
        judge(made, Outputs(out_image=PICTURE + 5, differs={"out_image": here}))


def test_where_the_reference_raised_we_raise_the_same_kind() -> None:
    made = vector({"outcome": {"raised": "RuntimeError", "message": "no"}})

    def refuse(vector: Vector) -> Outputs:
        raise RuntimeError("another wording")

    assert not run_vector(made, Adapter(("f(x)",), lambda p: True, lambda n: True, refuse)).failures
    assert judge(made, Outputs()).failures == ["the reference raised RuntimeError, we returned"]


def test_adapters_are_chosen_by_function_and_parameters_alone() -> None:
    made = vector()
    yes, no = (lambda names: True), (lambda params: False)
    assert Adapter(("f(x)",), yes, yes, None).fits(made)
    assert Adapter(("f(*",), yes, yes, None).fits(made)
    assert not Adapter(("f(",), yes, yes, None).fits(made)
    assert not Adapter(("f(x)",), no, yes, None).fits(made)


def test_vectors_are_counted_from_reports() -> None:
    def report(name, text="", **properties):
        return SimpleNamespace(user_properties=[("vector", name), *properties.items()], longrepr=("f", 1, text))

    stats = {
        "passed": [report("a"), report("b", vector_differs="Heading"), SimpleNamespace(user_properties=[])],
        "failed": [report("c")],
        "skipped": [report("d", "Skipped: not covered: g()"), report("e", "Skipped: no data")],
    }
    found = count_vectors(stats)
    assert found == {"passed": ["a"], "failed": ["c"], "not covered": ["d"], "differs": ["b (Heading)"]}


def test_a_difference_counts_only_for_the_functions_its_entry_names() -> None:
    heading = "A square parallel overscan"
    assert undocumented("lsst.ip.isr.IsrTask(config).run(raw, ...)", {heading}) == []
    assert undocumented("OverscanCorrectionTask.run(exposure, amp)", {heading}) == []
    assert undocumented("isrFunctions.applyGains(exposure)", {heading, "Never written"}) == [
        "no entry 'Never written'",
        f"{heading!r} does not name isrFunctions.applyGains(exposure)",
    ]


@pytest.mark.parametrize(
    ("call", "name"),
    [
        ("isrFunctions.growMasks(mask, radius, ['SAT','BAD'], 'SAT')", "growMasks"),
        ("lsst.afw.math.makeStatistics(MaskedImageF), weighted by 1/variance", "makeStatistics"),
        ("IsrTask.maskAmplifier(exposure, amp, defects) for every amp", "IsrTask.maskAmplifier"),
        ("f(a)  [-> g(mi, h(x), k=True)]", "f"),
        ("with isrFunctions.gainContext(exposure, image, apply=True, invert)", "gainContext"),
    ],
)
def test_a_call_has_one_bare_name_however_its_arguments_are_spelled(call, name) -> None:
    assert bare_name(call) == name


def test_a_call_with_other_arguments_finds_the_adapter_spelled_most_alike(tmp_path) -> None:
    vector = Vector("x", tmp_path, {"function": "g(mask, 3)", "params": {}, "arrays": []}, {})
    one, other = (
        Adapter((pattern,), lambda _: True, lambda _: True, lambda _: Outputs())
        for pattern in ("g(mask)", "f(mask, 3)")
    )
    assert one.likeness(vector) > 0
    assert other.likeness(vector) == 0
