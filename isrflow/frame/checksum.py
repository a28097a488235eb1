"""The writing side of the FITS checksum convention; `fitsbytes` holds the sum and the reading side.

References
----------
.. [1] FITS standard 4.0, section 4.4.2.7 and appendix J.
"""

from __future__ import annotations

_ALL_ONES = 0xFFFFFFFF
# Punctuation between the digits and letters of ASCII, which the encoding must avoid.
_PUNCTUATION = frozenset(b":;<=>?@[\\]^_`")


def encode_checksum(total: int) -> str:
    """Return the 16 characters that bring the sum of an HDU, `total` with the card at zeros, to all ones."""
    value = _ALL_ONES - total
    columns = []
    for shift in (24, 16, 8, 0):
        byte = value >> shift & 0xFF
        digits = [byte // 4 + 48] * 4
        digits[0] += byte % 4
        while any(digit in _PUNCTUATION for digit in digits):
            for i in (0, 2):
                if digits[i] in _PUNCTUATION or digits[i + 1] in _PUNCTUATION:
                    digits[i] += 1
                    digits[i + 1] -= 1
        columns.append(digits)
    text = "".join(chr(columns[j][i]) for i in range(4) for j in range(4))
    return text[-1] + text[:-1]  # the value stands one byte off a word boundary in its card
