"""What must hold of every file that `mbl convert` writes, whoever is to load it."""

from __future__ import annotations

from collections.abc import Sequence

from mobilebert_lite.doctor import litert, text_model
from mobilebert_lite.doctor.facts import Facts
from mobilebert_lite.doctor.findings import ERROR
from mobilebert_lite.errors import MblError, VerificationError
from mobilebert_lite.running.model import Model
from mobilebert_lite.tflite.soundness import check_tflite

# Of the checks for clients those that no task, number format or length excuses: their errors,
ERRORS = (text_model.metadata, text_model.input_names, text_model.tokenizer, text_model.vocabulary, text_model.labels,
          text_model.stored)
# and whatever these find, which warn of files of other writers.
ANY = (litert.signature,)


def require_readable(content: bytes, vocabulary: Sequence[str], labels: Sequence[str], lengths: Sequence[int]) -> None:
    """Raise VerificationError when `mbl run` or `mbl inspect` would refuse ``content``, or read other words, names of
    classes or lengths in it than these."""
    try:
        check_tflite(content)
        model = Model("the file", content=content)
        model.session.close()
        found = [(model.tokenizer.vocabulary, vocabulary, "words"), (model.labels, labels, "names of classes"),
                 (model.lengths, sorted(lengths), "lengths")]
        problems = [f"its {what} do not read back as they are" for read, wanted, what in found
                    if tuple(read) != tuple(wanted)]
        facts = Facts(content)
        problems += [f"{one.where}: {one.what}" for find in (*ERRORS, *ANY) for one in find(facts)
                     if find in ANY or one.severity == ERROR]
    except MblError as error:
        problems = [str(error)]
    if problems:
        raise VerificationError(f"the file would be refused by whoever opens it: {'; '.join(problems)}; "
                                "no file was written")
