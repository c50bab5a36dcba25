"""Where ``--weights`` leads: a place on this machine, a repository of the Hugging Face hub, or nowhere.

What looks like a path is never asked of the hub, so that a mistyped one fails at once, offline and online alike.
"""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from pathlib import Path
from urllib.parse import unquote, urlsplit

from mobilebert_lite.converters.huggingface import variants
from mobilebert_lite.errors import CheckpointError, DependencyError, shorten
from mobilebert_lite.quantization import trained

SCHEME = "hf://"
_HOSTS = ("huggingface.co", "www.huggingface.co", "hf.co")
_ID = re.compile(r"(?!.*(--|\.\.))[A-Za-z0-9_][\w.-]*/[A-Za-z0-9_][\w.-]*(?<![.-])\Z", re.ASCII)
# What stands after the id in the address of a page that shows one revision, or a file of it.
_VIEWS = ("tree", "blob", "resolve", "raw", "blame", "commit", "commits")
_FILE = re.compile(r"\.(safetensors|bin|h5|hdf5|json|txt|ckpt(-\d+)?|index|meta|data-\d+-of-\d+|pb|pt|pth|onnx|tflite"
                   r"|zip|tgz|tar|gz)\Z", re.IGNORECASE)

# Read beside the weights, by one format or another.
_BESIDE = ("config.json", "bert_config.json", "tokenizer.json", "tokenizer_config.json", "special_tokens_map.json",
           "added_tokens.json", "vocab.txt", "vocab.json", "labels.txt", "modules.json", "sentence_bert_config.json",
           "config_sentence_transformers.json", trained.FILE)
# Modules of sentence-transformers: the first may be the network, the others are small.
_FIRST_MODULE, _MODULES = re.compile(r"0_[^/]+/"), re.compile(r"[1-9][0-9]*_[^/]+/[^/]+\Z")
_TENSORFLOW = re.compile(r"(checkpoint|[^/]+\.index|[^/]+\.data-\d{5}-of-\d{5}|saved_model\.pb"
                         r"|(variables|assets)/[^/]+)\Z")


@dataclass(frozen=True)
class Address:
    """A repository of the hub, as an address or ``hf://owner/name@revision`` names it."""

    id: str
    revision: str | None = None
    # A folder or file in it; empty for its root.
    path: str = ""


def address(location: str) -> Address | None:
    """What the address of a page of the hub, or an hf:// address, stands for; None for anything else.

    Raises CheckpointError for an address that is no model's.
    """
    if location.startswith(SCHEME):
        owner, _, inside = location.removeprefix(SCHEME).partition("/")
        named, _, path = inside.partition("/")
        name, _, revision = named.partition("@")
        return _checked(location, Address(f"{owner}/{name}", unquote(revision) or None, path.strip("/")))
    url = urlsplit(location if "://" in location else f"https://{location}")
    if url.scheme not in ("http", "https") or url.netloc not in _hosts():
        if "://" in location:
            raise CheckpointError(f"{location} is no address of the hub; download it, and give the folder, or give a "
                                  "hub id (owner/name)")
        return None
    parts = [unquote(part) for part in url.path.split("/") if part]
    if parts[:1] and parts[0] in ("datasets", "spaces", "collections", "papers", "docs"):
        raise CheckpointError(f"{location} is a page of {parts[0]}, not of a model")
    owner_and_name, rest = "/".join(parts[:2]), parts[2:]
    shown = rest[1:] if len(rest) > 1 and rest[0] in _VIEWS else []
    if shown[:1] == ["refs"]:  # refs/pr/3 is one revision
        shown = ["/".join(shown[:3]), *shown[3:]]
    return _checked(location, Address(owner_and_name, shown[0] if shown else None, "/".join(shown[1:])))


def _hosts() -> Sequence[str]:
    mirror = urlsplit(os.environ.get("HF_ENDPOINT", "")).netloc
    return (*_HOSTS, mirror) if mirror else _HOSTS


def is_id(text: str) -> bool:
    """Whether ``text`` can be the id of a repository, owner/name."""
    return _ID.match(text) is not None


def _checked(location: str, found: Address) -> Address:
    if not is_id(found.id):
        raise CheckpointError(f"{location} names no repository of a model: after the host, owner/name is expected")
    if ".." in found.path.split("/"):
        raise CheckpointError(f"{location} leads out of its repository")
    return found


def check(location: str) -> None:
    """Raise CheckpointError for what ``resolve`` would refuse without asking the hub."""
    if not os.path.exists(location) and address(location) is None:
        _refuse_paths(location)


def resolve(location: str, revision: str | None = None) -> Path:
    """The folder or file on this machine for ``location``: itself, or a download from the hub.

    Raises CheckpointError when it is neither, or when the hub cannot be reached.
    """
    if os.path.exists(location):
        return Path(location)
    found = address(location)
    if found is None:
        _refuse_paths(location)
        found = Address(location)
    if revision and found.revision and revision != found.revision:
        raise CheckpointError(f"{location} is revision {found.revision}, but --revision says {revision}; give one")
    return _fetched(location, Address(found.id, revision or found.revision, found.path))


def _refuse_paths(location: str) -> None:
    """Raise for what can only be a path, and for what is no hub id."""
    nowhere = f"no checkpoint folder at {location}{_suggestion(Path(location))}"
    owner, _, name = location.partition("/")
    if location.startswith((".", "/", "~")) or "\\" in location or "/" in name or _FILE.search(location):
        raise CheckpointError(nowhere)
    if not is_id(location):
        raise CheckpointError(f"{location!r} is neither a folder nor a hub id (owner/name)"
                              f"{_suggestion(Path(location))}")
    if Path(owner).is_dir():
        raise CheckpointError(f"{nowhere}, and the folder {owner} is on this machine; if the hub's is meant, give "
                              f"{SCHEME}{location}")


def _suggestion(path: Path) -> str:
    """``; did you mean …?`` where the folder above holds something of nearly that name."""
    try:
        names = [one.name for one in path.parent.iterdir()]
    except OSError:
        return ""
    close = get_close_matches(path.name, names, 1, 0.75)
    return f"; did you mean {path.parent / close[0]}?" if close else ""


def _fetched(location: str, found: Address) -> Path:
    """The snapshot of ``found`` in the hub's cache, or what its path names there."""
    try:
        from huggingface_hub import HfApi, snapshot_download
        from huggingface_hub.errors import HfHubHTTPError, HFValidationError
    except ImportError:
        raise DependencyError(f"there is no folder {location}; to fetch it from the hub: "
                              "pip install 'mobilebert-lite[hub]'") from None
    try:
        try:
            names = HfApi().list_repo_files(found.id, revision=found.revision)
        except HfHubHTTPError as error:
            if error.response is not None and error.response.status_code < 500:
                raise
            names = None
        except Exception:  # offline: the kinds differ between transports and versions
            names = None
        if names is None:
            # Without patterns later clients refuse a snapshot that lacks any file of the repository.
            snapshot = Path(snapshot_download(found.id, revision=found.revision, local_files_only=True,
                                              allow_patterns=[]))
        else:
            snapshot = Path(snapshot_download(found.id, revision=found.revision, allow_patterns=wanted(names, found)))
    except CheckpointError:
        raise
    except HFValidationError:
        raise CheckpointError(f"{location!r} is neither a folder nor a hub id (owner/name)") from None
    except HfHubHTTPError as error:
        raise CheckpointError(f"the hub refused {location!r}: {str(error).splitlines()[0]}") from None
    except Exception as error:  # as above
        raise CheckpointError(f"there is no folder {location}, and the hub could not be asked for it "
                              f"({type(error).__name__}); give a local folder with config.json and "
                              f"{variants.SAFETENSORS}, or download {found.id} where the network is there") from None
    path = snapshot / found.path
    if not path.exists():
        raise CheckpointError(f"{found.id} has no {found.path}" + (
            " in this machine's cache, and the hub could not be asked for it" if names is None else ""))
    return path


def wanted(names: Collection[str], repository: Address) -> list[str]:
    """Which files of a repository to download: all that is read, and one copy of the weights.

    Raises CheckpointError where there are no weights, or several variants of them and none is asked for.
    """
    folder, asked = _place(names, repository)
    inside = [name.removeprefix(folder) for name in names if name.startswith(folder)]
    weights = _weights(inside, asked, repository.id)
    modules = _modules(folder, inside)
    if not weights and modules and (first := next(filter(None, map(_FIRST_MODULE.match, inside)), None)):
        folder += first[0]
        inside = [name.removeprefix(folder) for name in names if name.startswith(folder)]
        weights = _weights(inside, "", repository.id)
    if not weights and (last := variants.last_training(inside)):
        folder = f"{folder}{last}/"
        inside = [name.removeprefix(folder) for name in names if name.startswith(folder)]
        weights = _weights(inside, "", repository.id)
    if not weights:
        raise CheckpointError(f"the hub's {repository.id} holds no weights that can be read, such as "
                              f"{variants.SAFETENSORS}; it has {shorten(sorted(names))}")
    beside = [name for name in (*_BESIDE, variants.ADAPTER_CONFIG) if name in inside]
    return list(dict.fromkeys([*(f"{folder}{name}" for name in (*beside, *weights)), *modules,
                               *(name for name in _BESIDE if name in names)]))


def _modules(folder: str, inside: Sequence[str]) -> list[str]:
    """The files of the modules of sentence-transformers in ``folder``, one copy of their weights among them."""
    if "modules.json" not in inside:
        return []
    found = [name for name in inside if _MODULES.match(name)]
    whole = {name.rpartition("/")[0] for name in found if name.endswith(f"/{variants.SAFETENSORS}")}
    wanted_names = ("config.json", variants.SAFETENSORS, variants.PICKLE)
    return [f"{folder}{name}" for name in ("modules.json", *found) if name == "modules.json"
            or (name.rpartition("/")[2] in wanted_names
                and not (name.endswith(variants.PICKLE) and name.rpartition("/")[0] in whole))]


def _place(names: Collection[str], repository: Address) -> tuple[str, str]:
    """The folder (empty, or with a slash at its end) and the file in it that the address names."""
    if repository.path in names:
        folder, _, name = repository.path.rpartition("/")
        return f"{folder}/" if folder else "", name
    return f"{repository.path}/" if repository.path else "", ""


def _weights(names: Sequence[str], asked: str, place: str) -> list[str]:
    chosen = asked if variants.kind_of(asked) else variants.choose(names, place)
    files = variants.files_of(names, chosen) if chosen else []
    adapters = [name for name in variants.ADAPTERS if name in names][:1] if variants.ADAPTER_CONFIG in names else []
    return [*files, *adapters] or [name for name in names if _TENSORFLOW.match(name)]
