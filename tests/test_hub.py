"""Where --weights leads: folders, ids and addresses of the hub, and paths that are mistyped."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import hubs
import pytest
import torch_writer
from commands import mbl
from safetensors.numpy import load_file
from tokenizers import BertWordPieceTokenizer

from mobilebert_lite.architecture.config import MobileBertConfig
from mobilebert_lite.architecture.weights import random_weights
from mobilebert_lite.cli.convert import default_output
from mobilebert_lite.converters import formats
from mobilebert_lite.converters.huggingface import checkpoint as huggingface
from mobilebert_lite.converters.huggingface import hub, variants
from mobilebert_lite.converters.huggingface.hub import Address
from mobilebert_lite.errors import CheckpointError

NAME = "somebody/tiny"
PAGE = f"https://huggingface.co/{NAME}"


@pytest.mark.parametrize(("location", "expected"), [
    (PAGE, Address(NAME)),
    (f"{PAGE}/", Address(NAME)),
    (f"{PAGE}?library=transformers#use", Address(NAME)),
    (f"{PAGE}/tree/main", Address(NAME, "main")),
    (f"{PAGE}/tree/v1.0/checkpoint-500", Address(NAME, "v1.0", "checkpoint-500")),
    (f"{PAGE}/blob/main/model.fp16.safetensors", Address(NAME, "main", "model.fp16.safetensors")),
    (f"{PAGE}/resolve/0a1b/pytorch_model.bin?download=true", Address(NAME, "0a1b", "pytorch_model.bin")),
    (f"{PAGE}/tree/refs%2Fpr%2F3", Address(NAME, "refs/pr/3")),
    (f"{PAGE}/tree/refs/pr/3/sub", Address(NAME, "refs/pr/3", "sub")),
    (f"{PAGE}/commit/0a1b2c", Address(NAME, "0a1b2c")),
    (f"{PAGE}/discussions/4", Address(NAME)),
    ("http://www.huggingface.co/somebody/tiny", Address(NAME)),
    ("huggingface.co/somebody/tiny/tree/main", Address(NAME, "main")),
    ("https://hf.co/somebody/tiny", Address(NAME)),
    (f"hf://{NAME}", Address(NAME)),
    (f"hf://{NAME}@v1.0/sub", Address(NAME, "v1.0", "sub")),
    (NAME, None), ("models/tiny", None), ("./huggingface.co/somebody/tiny", None)])
def test_addresses(location: str, expected: Address | None) -> None:
    assert hub.address(location) == expected


def test_addresses_of_a_mirror(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(CheckpointError, match="is no address of the hub"):
        hub.address(f"https://mirror.example/{NAME}/tree/main")
    monkeypatch.setenv("HF_ENDPOINT", "https://mirror.example")
    assert hub.address(f"https://mirror.example/{NAME}/tree/main") == Address(NAME, "main")


@pytest.mark.parametrize(("location", "said"), [
    ("https://huggingface.co/datasets/somebody/tiny", "is a page of datasets, not of a model"),
    ("https://huggingface.co/somebody", "names no repository of a model"),
    ("https://huggingface.co", "names no repository of a model"),
    (f"{PAGE}/blob/main/../../x", "leads out of its repository"),
    ("s3://bucket/model", "is no address of the hub"),
    ("https://example.com/model.zip", "is no address of the hub")])
def test_addresses_of_nothing(location: str, said: str) -> None:
    with pytest.raises(CheckpointError, match=said):
        hub.resolve(location)


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder that commands are run in, with some checkpoints in it; to ask the hub is an error."""
    (tmp_path / "models" / "mobilebert").mkdir(parents=True)
    (tmp_path / "classifier").mkdir()
    monkeypatch.chdir(tmp_path)

    def asked(location: str, found: Address) -> Path:
        raise AssertionError(f"the hub was asked for {found}")

    monkeypatch.setattr(hub, "_fetched", asked)
    return tmp_path


@pytest.mark.parametrize(("location", "said"), [
    ("./absent", "no checkpoint folder at ./absent"),
    ("/absent", "no checkpoint folder at /absent"),
    ("a/b/c", "no checkpoint folder at a/b/c"),
    ("~/absent", "no checkpoint folder at ~/absent"),
    ("a\\b", "no checkpoint folder at a\\b"),
    ("models/mobilebrt", "no checkpoint folder at models/mobilebrt; did you mean models/mobilebert?, and the folder "
                         "models is on this machine; if the hub's is meant, give hf://models/mobilebrt"),
    ("models/other", "no checkpoint folder at models/other, and the folder models is on this machine"),
    ("somewhere/model.safetensors", "no checkpoint folder at somewhere/model.safetensors"),
    ("somewhere/model.ckpt-500", "no checkpoint folder at somewhere/model.ckpt-500"),
    ("classifer", "'classifer' is neither a folder nor a hub id (owner/name); did you mean classifier?"),
    ("somebody/", "'somebody/' is neither a folder nor a hub id"),
    ("not a name", "'not a name' is neither a folder nor a hub id (owner/name)"),
    ("some body/tiny", "neither a folder nor a hub id")])
def test_mistyped_paths_are_never_asked_of_the_hub(here: Path, location: str, said: str) -> None:
    with pytest.raises(CheckpointError) as error:
        hub.resolve(location)
    assert said in str(error.value)


@pytest.mark.parametrize("location", [NAME, "google/mobilebert-uncased", "a/name.with-dots_1.5", f"hf://{NAME}", PAGE,
                                      "hf://models/mobilebrt"])
def test_ids_are_asked_of_the_hub(here: Path, location: str) -> None:
    with pytest.raises(AssertionError, match="the hub was asked"):
        hub.resolve(location)


def test_places_on_this_machine(here: Path) -> None:
    assert hub.resolve("models/mobilebert") == Path("models/mobilebert")
    (here / "classifier" / "model.safetensors").touch()
    assert hub.resolve("classifier/model.safetensors") == Path("classifier/model.safetensors")


def test_two_revisions() -> None:
    with pytest.raises(CheckpointError, match="is revision v1, but --revision says v2"):
        hub.resolve(f"{PAGE}/tree/v1", "v2")


@pytest.mark.parametrize("location", [NAME, PAGE, f"{PAGE}/tree/main", f"hf://{NAME}@v1"])
def test_name_of_the_file(location: str) -> None:
    assert str(default_output(location, "qa", "int8")) == "tiny-qa-int8.tflite"


# Which files are downloaded

SIDE = ("config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json", "added_tokens.json",
        "vocab.txt", "vocab.json", "labels.txt", "quantization.json")
NEVER = ("README.md", ".gitattributes", "flax_model.msgpack", "rust_model.ot", "training_args.bin", "optimizer.pt",
         "onnx/model.onnx")


@pytest.mark.parametrize(("weights", "others"), [
    (("model.safetensors",), ("pytorch_model.bin", "tf_model.h5", "model.fp16.safetensors")),
    (("model.safetensors.index.json", "model-00001-of-00002.safetensors", "model-00002-of-00002.safetensors"),
     ("pytorch_model.bin", "model.fp16-00001-of-00001.safetensors", "model.safetensors.index.fp16.json")),
    (("pytorch_model.bin",), ("tf_model.h5", "model.fp16.safetensors")),
    (("pytorch_model.bin.index.json", "pytorch_model-00001-of-00001.bin"), ("tf_model.h5",)),
    (("tf_model.h5",), ("pytorch_model.fp16.bin",)),
    (("model.fp16.safetensors",), ("pytorch_model.fp16.bin",)),
    (("model.safetensors.index.fp16.json", "model.fp16-00001-of-00001.safetensors"), ()),
    (("pytorch_model.fp16.bin",), ()),
    (("adapter_config.json", "adapter_model.safetensors"), ("adapter_model.bin",)),
    (("adapter_config.json", "adapter_model.bin", "model.safetensors"), ("pytorch_model.bin",)),
    (("model.ckpt.index", "model.ckpt.data-00000-of-00001", "bert_config.json", "checkpoint"), ()),
    (("variables/variables.index", "variables/variables.data-00000-of-00001", "assets/vocab.txt"), ("x/y.pb",)),
])
def test_one_copy_of_the_weights(weights: tuple[str, ...], others: tuple[str, ...]) -> None:
    names = [*others, *weights, *SIDE, *NEVER]
    assert set(hub.wanted(names, Address(NAME))) == {*weights, *SIDE}


def test_last_folder_of_a_training() -> None:
    names = [*NEVER, "tokenizer.json", *(f"checkpoint-{step}/{name}" for step in (500, 1500, 1000)
                                         for name in ("config.json", "model.safetensors", "optimizer.pt"))]
    assert set(hub.wanted(names, Address(NAME))) == {"checkpoint-1500/config.json", "checkpoint-1500/model.safetensors",
                                                     "tokenizer.json"}
    assert set(hub.wanted(names, Address(NAME, path="checkpoint-500"))) == {
        "checkpoint-500/config.json", "checkpoint-500/model.safetensors", "tokenizer.json"}


def test_several_variants_are_a_question() -> None:
    names = ["config.json", "model.fp16.safetensors", "model.bf16.safetensors"]
    with pytest.raises(CheckpointError, match=r"several variants of the weights: model\.bf16\.s.*, model\.fp16\.saf"):
        hub.wanted(names, Address(NAME))
    asked = Address(NAME, path="model.bf16.safetensors")
    assert hub.wanted(names, asked) == ["config.json", "model.bf16.safetensors"]


def test_nothing_to_download() -> None:
    with pytest.raises(CheckpointError, match=r"holds no weights that can be read, .*; it has .*flax_model\.msgpack"):
        hub.wanted([*NEVER, "config.json"], Address(NAME))


# The client at work

def found(location: str, environment: dict[str, str], cwd: Path) -> subprocess.CompletedProcess[str]:
    """What ``formats.find`` says, in a process of its own: the client reads its settings once."""
    code = ("import sys\nfrom mobilebert_lite.converters import formats\nfrom mobilebert_lite.errors import MblError\n"
            "try: print(formats.find(sys.argv[1]).evidence)\nexcept MblError as error: print('Error:', error)")
    return subprocess.run([sys.executable, "-c", code, location], capture_output=True, text=True, timeout=300, cwd=cwd,
                          env={"PATH": "/usr/bin:/bin", "HOME": str(cwd), **environment})


def test_from_a_hub(tiny_qa: Path, tmp_path: Path) -> None:
    """Everything that is read is fetched, once; the second time nothing is."""
    files = {**hubs.files_in(tiny_qa), **dict.fromkeys(SIDE[4:5], b"{}"), "pytorch_model.bin": b"a copy",
             **dict.fromkeys(NEVER, b"-")}
    with hubs.serving(NAME, files, tmp_path / "home") as served:
        first = found(NAME, served.environment, tmp_path)
        assert first.stdout.endswith(f"snapshots/{hubs.COMMIT}/model.safetensors\n"), first
        assert served.fetched == {"added_tokens.json", *(path.name for path in tiny_qa.iterdir())}
        again = found(f"{served.address}/{NAME}/tree/main", served.environment, tmp_path)
        assert again.stdout == first.stdout
        before = len(served.asked)
        mistyped = found("./absent", served.environment, tmp_path)
        assert mistyped.stdout == "Error: no checkpoint folder at ./absent\n"
        assert len(served.asked) == before
        refused = found("somebody/else", served.environment, tmp_path)
        assert refused.stdout.startswith("Error: the hub refused 'somebody/else': ")
        assert refused.stdout.count("\n") == 1
    # The hub has gone: what was fetched is still there.
    assert found(NAME, served.environment, tmp_path).stdout == first.stdout


def test_hub_id_while_offline(tmp_path: Path) -> None:
    done = found("google/mobilebert-uncased", hubs.offline(tmp_path), tmp_path)
    assert done.stdout.startswith("Error: there is no folder google/mobilebert-uncased, and the hub could not be asked")
    assert done.stdout.count("\n") == 1


def test_convert_from_the_cache(tiny_classifier: Path, tmp_path: Path) -> None:
    """As the hub's client leaves a repository, and with nothing but its id or the address of its page."""
    hubs.fill_cache(tmp_path, NAME, hubs.files_in(tiny_classifier))
    for location in (NAME, f"{PAGE}/tree/main"):
        output = tmp_path / "out.tflite"
        done = mbl("convert", "--weights", location, "--seq-len", 16, "--quantize", "none", "-o", output, "--json",
                   environment=hubs.offline(tmp_path))
        assert done.returncode == 0, done.stderr
        assert json.loads(done.stdout)["task"] == "classification"
        output.unlink()
    assert formats.find(tiny_classifier).evidence.name == "model.safetensors"


def test_what_the_cache_lacks(tiny_classifier: Path, tmp_path: Path) -> None:
    hubs.fill_cache(tmp_path, NAME, hubs.files_in(tiny_classifier))
    done = found(f"{PAGE}/blob/main/model.fp16.safetensors", hubs.offline(tmp_path), tmp_path)
    assert done.stdout == ("Error: somebody/tiny has no model.fp16.safetensors in this machine's cache, and the hub "
                           "could not be asked for it\n")


def test_repository_like_the_published_one(tiny_config: MobileBertConfig, tiny_vocabulary: tuple[str, ...],
                                           tmp_path: Path) -> None:
    """google/mobilebert-uncased: pytorch_model.bin of both pre-training heads, vocab.txt and tokenizer.json."""
    weights = random_weights(replace(tiny_config, task="pretraining"), {"mlm": 0, "nsp": 2}, pooler=True)
    made = tmp_path / "made"
    huggingface.save(weights, made, vocabulary=tiny_vocabulary)
    tensors = load_file(made / variants.SAFETENSORS)
    (made / variants.SAFETENSORS).unlink()
    (made / variants.PICKLE).write_bytes(torch_writer.checkpoint(
        {**tensors, "cls.predictions.decoder.bias": tensors["cls.predictions.bias"]}))
    (made / "tokenizer.json").write_text(BertWordPieceTokenizer(str(made / "vocab.txt")).to_str())
    hubs.fill_cache(tmp_path, "google/mobilebert-uncased", hubs.files_in(made))
    output = tmp_path / "out.tflite"
    convert = ("convert", "--weights", "google/mobilebert-uncased", "--seq-len", 16, "--quantize", "none", "-o", output)
    done = mbl(*convert, "--task", "fill-mask", "--json", environment=hubs.offline(tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["task"] == "fill-mask"
    output.unlink()
    refused = mbl(*convert, "--task", "qa", environment=hubs.offline(tmp_path))
    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-1].endswith(
        "mbl train --task qa --data FILE --weights google/mobilebert-uncased -o FOLDER")


def test_repository_of_transformers_5(tiny_classifier: Path, tmp_path: Path) -> None:
    """No vocab.txt: the words are in tokenizer.json."""
    made = Path(shutil.copytree(tiny_classifier, tmp_path / "made"))
    (made / "tokenizer.json").write_text(BertWordPieceTokenizer(str(made / "vocab.txt")).to_str())
    (made / "tokenizer_config.json").write_text(json.dumps({"do_lower_case": True, "tokenizer_class": "BertTokenizer"}))
    (made / "vocab.txt").unlink()
    hubs.fill_cache(tmp_path, NAME, hubs.files_in(made))
    done = mbl("convert", "--weights", NAME, "--seq-len", 16, "--quantize", "none", "-o", tmp_path / "out.tflite",
               "--json", environment=hubs.offline(tmp_path))
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["task"] == "classification"
