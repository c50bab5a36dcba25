# Everything here works from a bare clone with Python 3.11, 3.12 or 3.13 (PYTHON=python3.13) and make.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
# Targets share build folders. scripts/side_by_side.py runs those at a time that share none.
.NOTPARALLEL:

help: ## Show the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## /{printf "  %-15s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

install: $(STAMP) ## Make .venv with everything for development.

$(STAMP): pyproject.toml constraints.txt
	@echo "Installing into $(VENV) (TensorFlow is large: a minute or two)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt pip setuptools wheel
	PYTHONWARNINGS='ignore:Editable installation' \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[dev]'
	touch $@

demo: install ## Convert the bundled checkpoints to int8 and let them answer.
	mkdir -p out
	$(BIN)/mbl convert --task qa --quantize int8 --output out/qa.tflite
	$(BIN)/mbl convert --task classification --quantize int8 --output out/classification.tflite
	$(BIN)/mbl run out/qa.tflite --question "Who is the artist?" \
	  --context "Add Sabrina Salerno to the Grime Instrumentals playlist."
	$(BIN)/mbl run out/classification.tflite --text "Will it rain in Lisbon tomorrow morning?" --top 3

# Tests that have targets of their own.
MARKED := slow or gpu or device or arm or processors or clients or fuzz or browser or transformers

test: install ## Run the fast tests.
	$(BIN)/python -m pytest -m "not ($(MARKED))"

test-slow: install ## Run the tests that take minutes.
	$(BIN)/python -m pytest -m slow

test-fuzz: install ## Give every command 2,000 damaged files (MBL_FUZZ_FILES: how many).
	$(BIN)/python -m pytest -m fuzz tests/fuzz

test-gpu: install ## Run files on the LiteRT GPU accelerator; installs Mesa's software Vulkan driver where it is missing.
	scripts/install_software_vulkan.sh
	$(BIN)/python -m pytest -m gpu -s

test-device: install ## Benchmark over the real adb and its daemon (as root); installs adb where it is missing.
	scripts/prepare_adbd.sh build/adbd
	$(BIN)/python -m pytest -m device

CLIENTS := .venv-clients

test-clients: install $(CLIENTS)/task-library/.installed $(CLIENTS)/mediapipe/.installed ## Load files in the libraries that apps use, in environments of their own.
	$(BIN)/python -m pytest -m clients tests/clients

# These libraries pin packages that cannot stand beside TensorFlow.
$(CLIENTS)/%/.installed: tests/clients/constraints/%.txt
	scripts/install_client_libraries.sh
	@echo "Installing into $(CLIENTS)/$*"
	$(PYTHON) -m venv $(CLIENTS)/$*
	$(CLIENTS)/$*/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

TRANSFORMERS := .venv-transformers

# MBL_EXHAUSTIVE=1: every kind of file of every head through the whole conversion.
test-transformers: install $(TRANSFORMERS)/tf5/.installed $(TRANSFORMERS)/tf446/.installed ## Read what transformers 5 and 4.46 write, in environments of their own.
	$(BIN)/python -m pytest -m transformers tests/with_transformers

# Only what the lists name: PyTorch would bring 1.4 GB more that no CPU reads. TensorFlow, which only 4.46 reads, is .venv's.
$(TRANSFORMERS)/%/.installed: tests/with_transformers/constraints/%.txt $(STAMP)
	@echo "Installing into $(TRANSFORMERS)/$* (tf5 fetches 2.3 GB: PyTorch with the CUDA libraries that it loads)"
	$(PYTHON) -m venv $(TRANSFORMERS)/$*
	$(TRANSFORMERS)/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r $<
	[ $* = tf5 ] || $(TRANSFORMERS)/$*/bin/python tests/with_transformers/borrow.py $(BIN)/python
	touch $@

test-arm: install ## Run files on real ARM kernels, on emulated processors; downloads QEMU and an arm64 Python into .arm.
	scripts/make_arm_root.sh .arm $(BIN)/python
	$(BIN)/python -m pytest -m arm tests/processors

test-processors: install ## Run files and the numeric tests on other processors, emulated: x86 and ARM; downloads as test-arm.
	scripts/make_arm_root.sh .arm $(BIN)/python
	$(BIN)/python -m pytest -m "arm or processors" tests/processors

# Whatever the suites install that is none of pip's, and their environments. Later installations find them there.
ci-tools: install $(CLIENTS)/task-library/.installed $(CLIENTS)/mediapipe/.installed $(TRANSFORMERS)/tf5/.installed $(TRANSFORMERS)/tf446/.installed ## Install what the suites need.
	scripts/install_maven.sh
	scripts/install_android_tools.sh
	scripts/install_chromium.sh
	scripts/install_software_vulkan.sh
	scripts/prepare_adbd.sh build/adbd
	scripts/make_arm_root.sh .arm $(BIN)/python

SUITES := lint typecheck test test-slow test-fuzz test-clients test-transformers test-gpu test-browser test-processors test-device \
  test-android android-apk test-app bench-text bench-text-input bench-trained

# Hours. Without MBL_EXHAUSTIVE the slow suites leave out combinations that show what others have shown.
test-all: export MBL_EXHAUSTIVE := 1
test-all: $(SUITES) ## Everything, with every combination (hours; needs the test data).

test-browser: install ## Look at the pages in Chromium; installs it where it is missing.
	scripts/install_chromium.sh
	$(BIN)/python -m pytest -m browser tests/browser

# For instance TRAINED="--only snips_qa --modes int8".
TRAINED ?=
bench-trained: install ## Score the trained checkpoints in every mode against their recorded figures (about an hour).
	$(BIN)/python benchmarks/suites/trained_checkpoints.py --check --json out/trained.json $(TRAINED)

bench-outliers: install ## Checkpoints with the outliers of published ones, beside stock conversions.
	$(BIN)/python benchmarks/suites/outliers.py --check --json out/outliers.json

bench-peers: install ## Time our files against stock ones, interleaved (about half an hour).
	$(BIN)/python benchmarks/suites/peers.py --json out/peers.json --plot out/peers.svg

bench-lengths: install ## Time several lengths in one file on real text lengths (needs the SQuAD data).
	$(BIN)/python benchmarks/suites/lengths.py --json out/lengths.json

bench-text: install ## Tokenization and SQuAD features: speed, and MLPerf's recorded features.
	$(BIN)/python benchmarks/suites/text.py --check --json out/text.json

bench-text-input: install ## Text input inside the file: differences from the reference by rule.
	$(BIN)/python benchmarks/suites/text_input.py --check

CASES := out/cases
SOURCES := $(shell find mobilebert_lite converters benchmarks -type f -not -name '*.pyc')

# Models for the Kotlin demo with what Python answers, made when anything that makes them has changed.
$(CASES)/models.json: $(SOURCES) scripts/end_to_end_cases.py scripts/tokenizer_cases.py | install
	$(BIN)/python scripts/end_to_end_cases.py --output $(CASES)

# What needs no phone: Kotlin on the JVM, real interpreters, and answers that Python gives to the same texts.
test-android: install $(CASES)/models.json ## Test the Kotlin demo; installs Maven, Java and zipalign where they are missing.
	scripts/install_maven.sh
	scripts/install_android_tools.sh
	$(BIN)/python scripts/shared_cases.py --output $(CASES)
	cd android_demo && MBL_CASES=$(CURDIR)/$(CASES) mvn -B -ntp test
	MBL_APP_LINES=$(CURDIR)/android_demo/app/target/app-lines $(BIN)/python -m pytest -q tests/bench/test_app_lines.py

test-app: install $(CASES)/models.json ## Benchmark in the demo app's own code over the real adb (as root); installs what is missing.
	scripts/prepare_adbd.sh build/adbd
	scripts/install_maven.sh
	scripts/install_android_tools.sh
	cd android_demo && MBL_CASES=$(CURDIR)/$(CASES) mvn -B -q -ntp test-compile
	MBL_TEST_APP=1 $(BIN)/python -m pytest -m device tests/device/test_app_own_code.py

APK_MODELS := $(CASES)/models/qa.tflite $(CASES)/models/classification.tflite

# The interpreter in it is the last one on Maven Central; apps built with Gradle have its successor.
android-apk: install $(CASES)/models.json ## Build the demo's package without an Android SDK, and verify it; installs what is missing.
	scripts/install_maven.sh
	scripts/install_android_tools.sh
	$(BIN)/mbl android assets $(APK_MODELS) --min-runtime 2.16.1
	cd android_demo && mvn -B -q -ntp process-classes
	android_demo/maven/apk.sh out/demo.apk
	$(BIN)/python scripts/check_apk.py out/demo.apk --test out/demo-test.apk --json out/apk.json \
	  $(addprefix --model ,$(APK_MODELS))

bench-kotlin: install ## Tokenizer and features in Kotlin beside Python's (needs the SQuAD data).
	scripts/install_maven.sh
	cd android_demo && mvn -B -q -ntp -pl core test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath
	$(BIN)/python benchmarks/suites/kotlin_text.py --json out/kotlin.json \
	  --classpath "android_demo/core/target/classes:android_demo/core/target/test-classes:$$(cat android_demo/core/target/classpath)"

# For instance TRAINING="--only sst2".
TRAINING ?=
bench-train: install ## Train small networks from scratch, fine-tune trained ones, convert them (about an hour; needs the data).
	$(BIN)/python benchmarks/suites/training.py --check --json out/training.json --plot out/training.svg $(TRAINING)

bench-training-gains: install ## What a teacher and quantization-aware training gain (half an hour; needs the data).
	$(BIN)/python benchmarks/suites/training_gains.py --json out/training-gains.json

TORCH := .venv-torch

bench-training-speed: install $(TORCH)/.installed ## Steps a second beside PyTorch, in an environment of its own.
	$(BIN)/python benchmarks/suites/training_speed.py --torch $(TORCH)/bin/python --json out/training-speed.json

$(TORCH)/.installed: benchmarks/suites/torch.txt
	@echo "Installing PyTorch into $(TORCH) (with the CUDA libraries that it brings: some 3 GB to fetch, 6 GB installed)"
	$(PYTHON) -m venv $(TORCH)
	$(TORCH)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

bench-harness: install ## Hold mbl bench against a plain timing loop, on the bundled checkpoint (a minute).
	mkdir -p out
	$(BIN)/mbl convert --task qa --output out/harness.tflite
	$(BIN)/python benchmarks/suites/harness.py out/harness.tflite --check --json out/harness.json

tokenizer-cases: install ## Write texts with their ids, for tokenizers in other languages.
	$(BIN)/python scripts/tokenizer_cases.py --output out/tokenizer_cases.json

train-demo: install ## Train the bundled checkpoints anew (needs the SNIPS data).
	$(BIN)/python scripts/train_demo.py

lint: install ## Check style.
	$(BIN)/ruff check .

typecheck: install ## Check types.
	$(BIN)/mypy -p mobilebert_lite

wheel: install ## Build the wheel into dist/.
	$(BIN)/python -m build --wheel --no-isolation

clean: ## Remove what was built; the environments stay.
	rm -rf build dist out *.egg-info

.PHONY: ci-tools test-all test-processors help install demo test test-transformers test-slow test-gpu test-browser test-device test-arm test-clients test-android test-app android-apk bench-kotlin bench-trained bench-outliers bench-peers bench-lengths bench-text bench-text-input bench-harness tokenizer-cases train-demo lint typecheck wheel clean test-fuzz bench-train bench-training-gains bench-training-speed
