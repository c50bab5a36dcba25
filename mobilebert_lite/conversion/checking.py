"""A file that is open, beside what its signatures should give."""

from __future__ import annotations

from mobilebert_lite.conversion import dependence, verify
from mobilebert_lite.conversion.answers import Expected
from mobilebert_lite.running.runtime import Session
from mobilebert_lite.tasks import Task


def compared(session: Session, task: Task, expected: Expected) -> list[verify.Verification]:
    """How far the answers of ``session`` are from those ``expected``. Raises VerificationError for answers that do not
    depend on the text."""
    results = []
    for name, pairs in expected.items():
        features, outputs = zip(*pairs, strict=True)
        actual = [session.run(name, one.inputs()) for one in features]
        dependence.require_in_file(task, name, features, outputs, actual)
        results.append(verify.compare(task, name, features, outputs, actual))
    return results
