"""Vectors of a folder of sentence-transformers: ``sentence_vectors.py FOLDER FILE``, texts as JSON on stdin."""

from __future__ import annotations

import json
import sys

import numpy as np
from sentence_transformers import SentenceTransformer

if __name__ == "__main__":
    np.save(sys.argv[2], SentenceTransformer(sys.argv[1], device="cpu").encode(json.load(sys.stdin)))
