# SPDX-License-Identifier: Apache-2.0
"""Whether a pattern ends soon in every program that reads it.

Ours takes linear time over any pattern. But schemas are published, and what runs in a browser or in
a service's own language tries one way after another: over `(a+)+b` it tries 2^n of them. No such
pattern is left if whatever is repeated can itself be read in one way only.
"""

import re
from typing import Final

# One of: escape, class, group's beginning, its end, choice, repeat, anything else. A class that
# holds "[" is read differently by different programs; what begins with "(?" otherwise looks around.
_PART: Final = re.compile(
    r"""
      \\.
    | \[ (?! \^?\] ) (?: \\. | [^\[\]\\] )+ \]
    | \( \?: | \( \?P?< [A-Za-z][A-Za-z0-9]* > | \( (?!\?)
    | \)
    | \|
    | (?: [*+?] | \{ (?: [0-9]+ (?: , [0-9]* )? | , [0-9]+ ) \} ) \??
    | [^\[\]()|*+?\\]
    """,
    re.VERBOSE | re.DOTALL,
)
_REPEAT: Final = re.compile(r"\{(?P<least>[0-9]*)(?P<range>,(?P<most>[0-9]*))?\}\??")


def ends_soon(pattern: str) -> bool:
    """Say whether no group that is repeated holds a choice, or a repeat of its own that varies.

    A pattern that is not understood does not.
    """
    parts = _PART.findall(pattern)
    if "".join(parts) != pattern:
        return False
    varying = [False]  # for each group that is open, the whole pattern first
    before, closed = "", False
    for part in parts:
        if part[0] == "(":
            varying.append(False)
        elif part == ")":
            if len(varying) == 1:
                return False
            closed = varying.pop()
            varying[-1] |= closed
        elif part == "|":
            varying[-1] = True
        elif _is_repeat(part):
            varies, most = _repeated(part)
            if before == "" or before[0] in "(|" or _is_repeat(before):
                return False
            if before == ")" and closed and most != 1:
                return False
            varying[-1] |= varies
        before = part
    return len(varying) == 1


def _is_repeat(part: str) -> bool:
    return part[0] in "*+?" or _REPEAT.fullmatch(part) is not None


def _repeated(part: str) -> tuple[bool, int | None]:
    """Return whether the number of repeats varies, and the largest; None if there is none."""
    found = _REPEAT.fullmatch(part)
    if found is None:
        return True, 1 if part[0] == "?" else None
    least = int(found["least"] or 0)
    if found["range"] is None:
        return False, least
    most = int(found["most"]) if found["most"] else None
    return most != least, most
