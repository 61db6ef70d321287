"""The verdict as one sentence, the same in every report."""

from __future__ import annotations

from analysis.diagnosis import Diagnosis

__all__ = ["headline"]


def headline(diagnosis: Diagnosis) -> str:
    """What the first finding says; without findings, whether that is good news."""
    if diagnosis.findings:
        return diagnosis.findings[0].summary
    if diagnosis.verdict == "inconclusive":
        return "Too little was seen to say whether anything is wrong: this is not a clean report."
    return "Nothing changed beyond chance, and no hop failed more than before."
