"""The rig's `am`, and the demo app behind it, as a phone has them: the app is a process of its own that outlives the
`am` that started it, prints what android_demo's instrumentation prints, and really runs the model, by LiteRT on this
machine's processor. What it measures is no phone's latency; `mbl` must say so wherever it shows it.

RIG_APP is a program that is the app in place of this one, and reads the words of the command in MBL_AM.

A word in ``trouble`` beside the installed package makes it fail: crash, hang, wrong.
"""

from __future__ import annotations

import hashlib
import json
import os
import signal
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path
from typing import Any

INSTALLED = Path("/system/app")
PACKAGE = "org.mobilebertlite.demo"
NAMES = {"model", "accelerator", "threads", "runs", "warmup", "seconds", "signature", "expected", "check", "first"}


def am(words: list[str]) -> int:
    """``instrument -w -r -e NAME VALUE … COMPONENT``, and ``force-stop PACKAGE``."""
    running = INSTALLED / "pid"
    if words[0] == "force-stop":
        with suppress(FileNotFoundError, ProcessLookupError):
            os.kill(int(running.read_text()), signal.SIGKILL)
        return 0
    assert words[:3] == ["instrument", "-w", "-r"], words
    component = words[-1]
    if not (INSTALLED / "base.apk").exists() or not component.startswith(f"{PACKAGE}/"):
        say("STATUS", "id=ActivityManagerService")
        say("STATUS", f"Error=Unable to find instrumentation info for: ComponentInfo{{{component}}}")
        print(f"INSTRUMENTATION_STATUS_CODE: -1\nandroid.util.AndroidException: INSTRUMENTATION_FAILED: {component}")
        return 1
    with (INSTALLED / "calls").open("a") as calls:
        calls.write(json.dumps(words) + "\n")
    own = os.environ.get("RIG_APP")
    command = [own] if own else [sys.executable, __file__, "app", *words[3:-1]]
    # What an app writes on its stderr goes to the phone's log: native code, which writes in pieces, must not come
    # between the parts of a line.
    with (INSTALLED / "log").open("ab") as log:
        app = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=log, text=True, start_new_session=True,
                               env={**os.environ, "MBL_AM": json.dumps(words[3:-1])})
    running.write_text(str(app.pid))
    assert app.stdout
    code = ""
    for line in app.stdout:
        print(line, end="", flush=True)
        code = line if line.startswith("INSTRUMENTATION_CODE") else code
    if not code:
        say("RESULT", "shortMsg=Process crashed.")
        print("INSTRUMENTATION_CODE: 0")
    return 0


def say(kind: str, text: str) -> None:
    print(f"INSTRUMENTATION_{kind}: {text}", flush=True)


def tell(event: str, **body: Any) -> None:
    say("STATUS", "mbl=" + json.dumps({"event": event, **body}))
    print("INSTRUMENTATION_STATUS_CODE: 0", flush=True)


def app(words: list[str]) -> None:
    assert words[::3] == ["-e"] * (len(words) // 3), words
    given = dict(zip(words[1::3], words[2::3], strict=True))
    last: dict[str, str] = {"event": "done"}
    try:
        assert set(given) <= NAMES, given
        measure(given)
    except Exception as error:
        last = {"event": "error", "message": str(error)}
    say("RESULT", "mbl=" + json.dumps(last))
    print(f"INSTRUMENTATION_CODE: {-1 if last['event'] == 'done' else 0}", flush=True)


def measure(given: dict[str, str]) -> None:
    from importlib.metadata import version

    began = time.perf_counter()
    tell("begin", format=1, app="0.1.0", runtime=f"LiteRT {version('ai-edge-litert')}", time_ms=int(1000 * time.time()),
         manufacturer="rig", model="Pixel 4", device="flame", fingerprint="rig", android="13", sdk=33,
         abi=os.uname().machine, cores=os.cpu_count())
    tell("request", **given)
    from mobilebert_lite.running.model import Model

    path = Path(given["model"])
    before = time.perf_counter()
    model = Model(path, threads=int(given["threads"]))
    loaded = time.perf_counter() - before
    tell("model", name=path.name, bytes=path.stat().st_size, sha256=hashlib.sha256(path.read_bytes()).hexdigest(),
         task=model.task.name, recipe=model.provenance["recipe"]["name"],
         signatures={name: length for length, name in model.lengths.items()})
    examples = json.loads(Path(given["expected"]).read_text())["examples"]
    texts = [read(model, one, given.get("signature")) for one in examples]
    first = int(given["first"])
    first_s = timed(model, *texts[first % len(texts)])
    tell("load", accelerator=given["accelerator"], threads=int(given["threads"]), load_us=1e6 * loaded,
         first_us=1e6 * first_s, delegation=None, **memory())
    for i in range(int(given["warmup"])):
        timed(model, *texts[(first + i) % len(texts)])
    inferences(model, texts, given, began)
    if given["check"] == "true":
        check(model, examples)
    tell("end", **memory())


def read(model: Any, example: dict[str, Any], wanted: str | None) -> tuple[str, Any]:
    """The first window of a text, for the signature asked for or the shortest that holds it."""
    from mobilebert_lite.text.examples import QuestionExample, TextExample

    length = model.longest if wanted is None else next(one for one, name in model.lengths.items() if name == wanted)
    one = (QuestionExample("", example["question"], example["context"]) if "question" in example
           else TextExample(example["text"], example.get("pair")))
    window = model.task.features(model.tokenizer, one, length)[0]
    if wanted is None:
        length = next(one for one in model.lengths if one >= window.length_used)
    return model.lengths[length], window.trimmed(length)


def timed(model: Any, signature: str, window: Any) -> float:
    inputs = window.inputs()
    began = time.perf_counter()
    model.session.run(signature, inputs)
    return time.perf_counter() - began


def inferences(model: Any, texts: list[tuple[str, Any]], given: dict[str, str], began: float) -> None:
    done, start = 0, time.perf_counter()
    while done < int(given["runs"]) or time.perf_counter() - start < float(given["seconds"]):
        if done == 5:
            trouble()
        signature, window = texts[(int(given["first"]) + done) % len(texts)]
        at = time.perf_counter() - began
        tell("sample", index=done, signature=signature, tokens=window.length_used, at_us=1e6 * at,
             us=1e6 * timed(model, signature, window))
        done += 1


def trouble() -> None:
    word = (INSTALLED / "trouble").read_text() if (INSTALLED / "trouble").exists() else ""
    if word == "crash":
        os.kill(os.getpid(), signal.SIGSEGV)
    if word == "hang":
        time.sleep(1000)


def check(model: Any, examples: list[dict[str, Any]]) -> None:
    different, largest = [], 0.0
    wrong = (INSTALLED / "trouble").exists() and (INSTALLED / "trouble").read_text() == "wrong"
    for i, example in enumerate(examples):
        tell("progress", done=i, total=len(examples))
        if "question" in example:
            found = [(one.text, one.probability) for one in model.answer(example["question"], example["context"])]
        else:
            found = [(one.name, one.probability) for one in model.classify(example["text"], example.get("pair"))]
        if wrong and i % 4 == 0:
            found = [("something else", 0.9), *found[1:]]
        name, probability = found[0]
        if name == example["expected"]["name"]:
            largest = max(largest, abs(probability - example["expected"]["probability"]))
        else:
            different.append({"index": i, "expected": example["expected"]["name"], "said": name,
                              "probability": probability,
                              "of_expected": dict(found).get(example["expected"]["name"])})
    tell("check", total=len(examples), same=len(examples) - len(different), largest_difference=largest,
         different=different)


def memory() -> dict[str, int]:
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {"memory_bytes": 1024 * int(status["VmRSS"].split()[0]),
            "peak_memory_bytes": 1024 * int(status["VmHWM"].split()[0])}


if __name__ == "__main__":
    if sys.argv[1] == "app":
        app(sys.argv[2:])
    else:
        sys.exit(am(sys.argv[1:]))
