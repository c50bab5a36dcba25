"""The runner that measures what an app sees: the demo app's instrumentation over adb."""

from __future__ import annotations

import json
import logging
import shlex
import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path

from mobilebert_lite.android.assets import examples, usable_model
from mobilebert_lite.benchmarks.app import lines as app_lines
from mobilebert_lite.benchmarks.app.install import app_on, install_app
from mobilebert_lite.benchmarks.app.lines import AppRun
from mobilebert_lite.benchmarks.app.request import PACKAGE, AppRequest
from mobilebert_lite.benchmarks.measuring import acceleration
from mobilebert_lite.benchmarks.measuring.acceleration import Taken
from mobilebert_lite.benchmarks.measuring.runner import Findings, Input, RunnerError, Sample
from mobilebert_lite.benchmarks.measuring.texts import read_texts
from mobilebert_lite.benchmarks.phone import state as phone_state
from mobilebert_lite.benchmarks.phone.adb import AdbError, CommandError, Phone
from mobilebert_lite.benchmarks.phone.session import PhoneFolder
from mobilebert_lite.benchmarks.reports.result import CPU, Aggregate, Configuration, Memory, Runtime, Snapshot
from mobilebert_lite.common.files import sha256_of
from mobilebert_lite.common.temporary import scratch_folder
from mobilebert_lite.datasets.options import DataOptions

# Every process warms up anew: the first inference packs weights, and clocks rise.
WARM_UP = 5
# A process starts the app, which takes a second; so many inferences are worth that.
BLOCK = 10


class AppRunner:
    """One phone with the demo app on it."""

    block = BLOCK
    # The system decides where an app runs.
    big_cpus: tuple[int, ...] = ()

    def __init__(self, phone: Phone, app: Path | None, data: Path | None, silence_s: float, profile: bool, *,
                 reading: DataOptions | None = None) -> None:
        """Installs ``app``, an APK, where one is given. Texts come from ``data`` by ``reading``, as
        read_texts takes them; an app that is silent for ``silence_s`` hangs; ``profile`` is what this runner does not
        have. Raises RunnerError."""
        self.phone, self.data, self.silence_s, self.profile = phone, data, silence_s, profile
        self.reading = reading
        self.device = phone_state.identify(phone)
        if app is not None:
            install_app(phone, app)
        place = app_on(phone)
        if not place:
            raise RunnerError(f"the demo app ({PACKAGE}) is not on {self.device.title} ({phone.serial}); install it "
                              "with `mbl android install MODEL`, or give its package with --app")
        self.app_sha256 = phone.shell(f"sha256sum {shlex.quote(place)} 2>/dev/null || true").split(" ")[0].strip()
        # The app is a process of its own, which does not end with the one that started it.
        self.session = PhoneFolder(phone, farewell=f"am force-stop {PACKAGE}")
        self._opened = ExitStack()
        self._folder = self._opened.enter_context(scratch_folder())
        self._texts: dict[Path, str] = {}
        try:
            # The app is another user.
            phone.shell(f"chmod 755 {self.session.folder}")
        except BaseException:
            self.close()
            raise

    def objections(self) -> list[str]:
        """Hot, throttled, low, busy. The screen may be on: it is an app. Raises AdbError."""
        return phone_state.objections(replace(self.snapshot(), screen_on=None), self.device.cores,
                                      phone_state.busy_share(self.phone))

    def prepare(self, path: Path, configuration: Configuration, inputs: Sequence[Input]) -> AppPrepared:
        """The file and its texts on the phone, and one inference. Raises RunnerError, ModelFileError."""
        return AppPrepared(self, path, configuration, inputs)

    def put(self, local: Path, name: str) -> str:
        """``local`` where the app can read it; its path there. Raises AdbError."""
        remote = self.session.put(local, name)
        self.phone.shell(f"chmod 644 {shlex.quote(remote)}")
        return remote

    def texts(self, path: Path) -> str:
        """The texts with the answers that the file gives on this machine, on the phone; made once for each file.

        Raises ModelFileError for a file that the app cannot use.
        """
        if path not in self._texts:
            model = usable_model(path)
            name = f"{sha256_of([path])[:32]}.examples.json"
            local = self._folder / name
            local.write_text(json.dumps(examples(model, read_texts(self.data, model.task, self.reading)),
                                        ensure_ascii=False), encoding="utf-8")
            self._texts[path] = self.put(local, name)
        return self._texts[path]

    def snapshot(self) -> Snapshot:
        """See phone_state."""
        return phone_state.snapshot(self.phone)

    def close(self) -> None:
        """End the app and remove the folder, or say on stderr that the phone could not be reached."""
        self._opened.close()
        if left := self.session.close():
            logging.getLogger(__name__).warning("· warning: %s", left)


class AppPrepared:
    """A file on a phone; every call of ``run`` is a process of the app."""

    def __init__(self, runner: AppRunner, path: Path, configuration: Configuration, inputs: Sequence[Input]) -> None:
        self._runner, self._path = runner, path
        self._sha256 = sha256_of([path])
        texts = runner.texts(path)
        self._request = _request(runner.put(path, f"{self._sha256[:32]}.tflite"), texts, configuration, inputs)
        self._peak = 0
        told = self._parsed(self._lines(replace(self._request, warm_up=0, runs=1, check=False)))
        self._accelerator, loading = configuration.accelerator, told.loading
        self._taken = [Taken(loading.delegate, loading.nodes, loading.delegated, loading.partitions)
                       ] if loading.delegate else []
        if refused := acceleration.refusal(self._accelerator, self._taken):
            raise RunnerError(f"{path} in the app on {runner.device.title}: {refused}; `mbl inspect FILE --client gpu` "
                              "tells what GPUs refuse in a file")
        self.runtime = Runtime(told.runtime.name, told.runtime.version, runner.app_sha256)
        self.loading = told.loading

    def run(self, count: int, seconds: float, first: int = 0) -> Iterator[Sample | Aggregate]:
        """As Prepared.run; single samples, brought to this machine's clock by the arrival of the app's first line."""
        began, lines = 0.0, list[str]()
        for line in self._lines(replace(self._request, runs=count, seconds=seconds, first=first, check=False)):
            lines.append(line)
            event = app_lines.event(line) or {"event": ""}
            if event["event"] == "begin":
                began = time.monotonic()
            elif event["event"] == "sample":
                one = app_lines.inference(event)
                yield Sample(began + one.at_us / 1e6, one.duration_us, one.tokens)
        self._parsed(lines)

    def finish(self) -> Findings:
        """Peak memory of all processes, and the answers of one more."""
        told = self._parsed(self._lines(replace(self._request, warm_up=0, runs=1)))
        answers = told.answers
        if answers is None or not answers.compared:
            raise RunnerError(f"{self._path}: the app compared no answers; install the app anew")
        no_profile = "the app has no profile of operators; leave out --runner app for it"
        warnings = (app_lines.ties(told), acceleration.shared(self._accelerator, self._taken),
                    no_profile if self._runner.profile else "")
        return Findings(Memory(self._peak), answers=answers, warnings=tuple(filter(None, warnings)),
                        wrong=app_lines.wrong_answers(told, self._path.name))

    def close(self) -> None:
        """The files stay in the session's folder, for the next configuration."""

    def _lines(self, request: AppRequest) -> Iterator[str]:
        """What `am instrument` prints, as it comes. Raises AdbError."""
        # Its status says less than its last lines.
        with suppress(CommandError):
            yield from self._runner.session.run(request.command(), self._runner.silence_s)

    def _parsed(self, lines: Iterable[str]) -> AppRun:
        """Raises RunnerError when the app failed, crashed, or measured something else."""
        try:
            run = app_lines.parse(lines)
        except AdbError:
            raise
        except RunnerError as error:
            raise RunnerError(f"{self._path} on {self._runner.device.title}: {error}") from None
        if run.model.get("sha256") != self._sha256:
            raise RunnerError(f"{self._path}: the app read another file ({run.model.get('sha256')}); try again")
        self._peak = max(self._peak, run.memory.peak_bytes)
        return run


def _request(model: str, texts: str, configuration: Configuration, inputs: Sequence[Input]) -> AppRequest:
    """Raises RunnerError for what an app cannot be told."""
    if configuration.cpus:
        raise RunnerError("an app cannot be pinned to cores; leave out --cpus")
    if configuration.accelerator == CPU and not configuration.xnnpack:
        raise RunnerError("the app runs on CPUs with XNNPACK alone; leave out --no-xnnpack")
    return AppRequest(model, texts, configuration.accelerator, configuration.threads, WARM_UP,
                      signature=inputs[0].signature if configuration.length else None)
