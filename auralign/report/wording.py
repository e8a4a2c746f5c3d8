"""Numbers as a reader sees them: scores, differences, intervals, p-values."""

import math

MINUS = "\u2212"


def score(value: float) -> str:
    """Write a score with three digits after the point."""
    return "undefined" if value is None or math.isnan(value) else _signs(f"{value:.3f}")


def signed(value: float) -> str:
    """Write a difference with its sign."""
    return "undefined" if math.isnan(value) else _signs(f"{value:+.3f}")


def interval(low: float, high: float, write=score) -> str:
    """Write an interval: `0.512 to 0.694`; one without ends, as of too few subjects, in words."""
    if math.isnan(low) or math.isnan(high):
        return "undefined"
    if math.isinf(low) or math.isinf(high):
        return "unbounded (too few subjects)"
    return f"{write(low)} to {write(high)}"


def p_value(value: float) -> str:
    """Write a p-value with two digits, or that it is below .001."""
    if math.isnan(value):
        return "undefined"
    return "< 0.001" if value < 0.001 else f"{value:.2g}"


def percent(share: float) -> str:
    """Write a share: `95 %`; no more digits than are needed."""
    return f"{100 * share:.3g} %"


def share(value: float, digits: int = 0) -> str:
    """Write a score as a share of the variance: `72 %`; never 100 % for less."""
    if math.isnan(value):
        return "undefined"
    rounded = round(100 * value, digits)
    if rounded >= 100 and value < 1:
        return f"over {100 - 10.0**-digits:.{digits}f} %"
    return f"{_signs(f'{rounded:.{digits}f}')} %"


def share_interval(low: float, high: float, digits: int = 0) -> str:
    """Write an interval of shares: `61 to 80 %`."""
    if math.isnan(low) or math.isnan(high):
        return "undefined"
    return f"{_signs(f'{100 * low:.{digits}f}')} to {_signs(f'{100 * high:.{digits}f}')} %"


def _signs(text: str) -> str:
    # a rounded zero has no sign
    if float(text) == 0.0:
        text = text.lstrip("+-")
    return text.replace("-", MINUS)
