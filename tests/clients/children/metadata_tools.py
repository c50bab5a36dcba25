"""tflite-support's own metadata tools: ``metadata_tools.py show MODEL`` or ``write MODEL VOCABULARY LABELS OUT``.

``show`` prints its displayer's JSON with the packed files and the parser version that it computes.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from tensorflow_lite_support.metadata.cc.python import _pywrap_metadata_version
from tflite_support import metadata
from tflite_support.metadata_writers import bert_nl_classifier, metadata_info, writer_utils


def show(model: str) -> None:
    displayer = metadata.MetadataDisplayer.with_model_file(model)
    version = _pywrap_metadata_version.GetMinimumMetadataParserVersion(bytes(displayer.get_metadata_buffer()))
    json.dump({"metadata": json.loads(displayer.get_metadata_json()), "version": version,
               "files": displayer.get_packed_associated_file_list()}, sys.stdout)


def write(model: str, vocabulary: str, labels: str, out: str) -> None:
    """As an app developer would, for a classifier; the library orders the metadata by the names of the tensors."""
    tokenizer = metadata_info.BertTokenizerMd(vocabulary)
    content = writer_utils.load_file(model)
    names = writer_utils.get_input_tensor_names(content)
    writer = bert_nl_classifier.MetadataWriter.create_for_inference(content, tokenizer, [labels], *names)
    Path(out).write_bytes(writer.populate())


if __name__ == "__main__":
    {"show": show, "write": write}[sys.argv[1]](*sys.argv[2:])
