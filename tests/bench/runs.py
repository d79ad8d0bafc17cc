"""Figures of several runs: their median, and the span from the lowest to the highest."""

from collections.abc import Sequence
from dataclasses import dataclass
from statistics import median


@dataclass(frozen=True)
class Runs:
    """The results of the same measurement, run by run."""

    figures: Sequence[float]

    @property
    def middle(self) -> float:
        return median(self.figures)

    def show(self, unit: str, digits: int = 0) -> str:
        """Returns text such as `1,234 a second (1,200 to 1,300)`."""
        low, high = min(self.figures), max(self.figures)
        return f"{self.middle:,.{digits}f} {unit} ({low:,.{digits}f} to {high:,.{digits}f})"


def ratio(above: Runs, below: Runs) -> Runs:
    """Returns the ratios run by run, so that only runs measured side by side are compared."""
    return Runs([one / other for one, other in zip(above.figures, below.figures, strict=True)])
