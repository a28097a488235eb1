"""Forward models of the serial register."""

from __future__ import annotations

import re

import numpy as np

from isrflow.kernels.deferred_charge import Drift, Trap, captured_charge
from isrflow.simulate.serial_register import Register, SerialTrap, shift_out
from tests.vectors.harness import Outputs, Vector, covers

_NUMBER = r"([-+.\deE]+)"


@covers("SerialTrap: initialize(*")
def one_trap(vector: Vector) -> Outputs:
    params, signal = vector.params, vector.array("in_fc")
    steps = re.findall(rf"trap_charge\((?:{_NUMBER}\*)?fc\)", vector.function)
    made = Trap(params["size"], params["emission_time"], params["trap_type"], np.array(params["coeffs"]))
    trap = SerialTrap(made, params["pixel"])
    trap.empty(len(signal))

    def in_register(column) -> np.ndarray:
        result = np.zeros(signal.shape)
        result[:, trap.pixel] = column
        return result

    first, second = (float(factor or 1) * signal[:, trap.pixel] for factor in steps)
    taken = trap.capture(first)
    released = trap.release()
    return Outputs(
        double=True,
        out_trap1=in_register(taken),
        out_trap_array1=in_register(made.size),  # the room there is, which does not change
        out_release1=in_register(released),
        out_trap_array_after_release=in_register(made.size),
        out_trap2=in_register(trap.capture(second)),
        out_capture=captured_charge(made, vector.array("in_signals")),
    )


@covers("SegmentSimulator(im,*")
def simulated_segment(vector: Vector) -> Outputs:
    output = re.search(rf"FloatingOutputAmplifier\({_NUMBER}, {_NUMBER}, {_NUMBER},", vector.function)
    n_overscan, n_parallel = map(int, re.search(r"readout\((\d+), (\d+)\)", vector.function).groups())
    drift = Drift(float(output[2]), float(output[3]))  # the gain it is given as well is not used
    offset = float(re.search(rf"offset={_NUMBER}", vector.function)[1])
    images = {}
    for name, case in vector.params["cases"].items():
        cti = float(re.search(rf"cti={_NUMBER}", case)[1])
        register = Register(
            drift, cti, tuple(map(trap_of, re.findall(r"SerialTrap\((.*?\])\)", case))), prescan(vector)
        )
        sizes = {"n_overscan": n_overscan, "n_parallel": n_parallel}
        images[f"out_{name}"] = shift_out(vector.array("in_im"), register, offset=offset, **sizes)
    return Outputs(double=True, **images)


def prescan(vector: Vector) -> int:
    return int(vector.params["prescan"])


def trap_of(text: str) -> tuple[Trap, int]:
    """Read ``50, .5, 5, linear, [5, 1e-3]``."""
    size, emission, pixel, kind, coefficients = re.fullmatch(r"(.*?), (.*?), (.*?), (\w+), \[(.*)\]", text).groups()
    numbers = np.array([float(number) for number in coefficients.split(",")])
    return Trap(float(size), float(emission), kind, numbers), int(pixel)
