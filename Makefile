# Everything here works from a bare clone with Python 3.11, 3.12 or 3.13 (PYTHON=python3.13) and make.
PYTHON ?= python3.11
VENV ?= .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed

.DEFAULT_GOAL := help
# Targets share build folders. scripts/side_by_side.py runs those at a time that share none.
.NOTPARALLEL:

##@ Every day

help: ## Show the targets.
	@awk -F ':.*## ' '/^##@ /{print substr($$0, 5)} /^[a-zNAME-]+:.*## /{printf "  %-18s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

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
MARKED := slow or gpu or npu or device or arm or processors or clients or fuzz or browser or transformers

test: install ## Run the fast tests, in two processes.
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not ($(MARKED))"

lint: install ## Check style, types, and which folder imports which.
	$(BIN)/ruff check .
	$(BIN)/mypy -p mobilebert_lite
	$(BIN)/lint-imports --no-cache

coverage: install ## The fast tests again, and which lines they run.
	$(BIN)/python -m pytest -n 2 --dist worksteal -m "not ($(MARKED))" --cov --cov-report term:skip-covered --cov-report html:out/coverage

docs: install ## Build the site of the documents into build/site; a warning is an error.
	NO_MKDOCS_2_WARNING=1 $(BIN)/mkdocs build --quiet --strict

wheel: install ## Build the wheel into dist/.
	$(BIN)/python -m build --wheel --no-isolation

clean: ## Remove what was built; the environments stay.
	rm -rf build dist out site *.egg-info

##@ Suites: each installs what it needs

test-slow: install ## Tests that take minutes.
	$(BIN)/python -m pytest -m slow

test-fuzz: install ## 1,000 damaged files for the commands that read them (MBL_FUZZ_FILES: how many).
	$(BIN)/python -m pytest -m fuzz tests/fuzz

test-gpu: install ## The LiteRT GPU accelerator, over Mesa's software Vulkan driver.
	scripts/install_software_vulkan.sh
	$(BIN)/python -m pytest -m gpu -s

test-npu: $(VENV)/.npu-installed ## Qualcomm's compiler and its simulator (fetches 100 MB, under Qualcomm's licence).
	$(BIN)/python -m pytest -m npu tests/npu -s

# The installation in .venv stays as it is; two packages come to it.
$(VENV)/.npu-installed: $(STAMP)
	@echo "Installing Qualcomm's compiler into $(VENV)"
	PYTHONWARNINGS='ignore:Editable installation' \
	  $(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt --no-build-isolation -e '.[npu]'
	touch $@

test-device: install ## mbl bench over the real adb and its daemon (as root).
	scripts/prepare_adbd.sh build/adbd
	$(BIN)/python -m pytest -m device

CLIENTS := .venv-clients

test-clients: install $(CLIENTS)/task-library/.installed $(CLIENTS)/mediapipe/.installed ## The libraries that apps load files with: MediaPipe, Task Library, TFLite Support.
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
test-transformers: install $(TRANSFORMERS)/tf5/.installed $(TRANSFORMERS)/tf446/.installed ## What transformers 5 and 4.46 write and answer.
	$(BIN)/python -m pytest -m transformers tests/with_transformers

# Only what the lists name: PyTorch would bring 1.4 GB more that no CPU reads. TensorFlow, which only 4.46 reads, is .venv's.
$(TRANSFORMERS)/%/.installed: tests/with_transformers/constraints/%.txt $(STAMP)
	@echo "Installing into $(TRANSFORMERS)/$* (tf5 fetches 2.3 GB: PyTorch with the CUDA libraries that it loads)"
	$(PYTHON) -m venv $(TRANSFORMERS)/$*
	$(TRANSFORMERS)/$*/bin/python -m pip install --quiet --disable-pip-version-check --no-deps --no-compile -r $<
	[ $* = tf5 ] || $(TRANSFORMERS)/$*/bin/python tests/with_transformers/borrow.py $(BIN)/python
	touch $@

test-arm: install ## Real ARM kernels, on processors that QEMU emulates.
	scripts/make_arm_root.sh .arm $(BIN)/python
	scripts/make_arm_counter.sh .arm $(BIN)/python
	$(BIN)/python -m pytest -m arm tests/processors

# Counting needs a QEMU that takes minutes to build: `make test-arm`.
test-processors: install ## Real ARM and x86 kernels, on processors that QEMU emulates.
	scripts/make_arm_root.sh .arm $(BIN)/python
	$(BIN)/python -m pytest -m "arm or processors" tests/processors --ignore=tests/processors/test_arm_cost.py

# For instance ARM_COST="--gate --check", or --record after a change that is meant.
ARM_COST ?= --check

arm-cost: install ## What ARM processors execute for our files and for others', beside what is recorded.
	scripts/make_arm_root.sh .arm $(BIN)/python
	scripts/make_arm_counter.sh .arm $(BIN)/python
	$(BIN)/python benchmarks/suites/arm_cost.py $(ARM_COST) --json out/arm-cost.json

# The phone, one of `mbl devices --known`.
DEVICE ?= pixel4
PREDICTED := --layers 24 --lengths 128 --files "stock dynamic" "half_attention.json + half"

arm-judge: install ## What the model of ARM processors predicts for a phone, and what the phone says (DEVICE=pixel4).
	$(BIN)/python benchmarks/suites/arm_cost.py --predict $(PREDICTED) --save out/arm
	$(BIN)/mbl bench "out/arm/stock dynamic-128-24.tflite" "out/arm/half_attention.json + half-128-24.tflite" \
	  --device $(DEVICE) --threads 1 --vocab mobilebert_lite/data/demo/qa/vocab.txt

test-browser: install ## The pages in Chromium.
	scripts/install_chromium.sh
	$(BIN)/python -m pytest -m browser tests/browser

CASES := out/cases
SOURCES := $(shell find mobilebert_lite converters benchmarks -type f -not -name '*.pyc')

# Models for the Kotlin demo with what Python answers, made when anything that makes them has changed.
$(CASES)/models.json: $(SOURCES) scripts/end_to_end_cases.py scripts/tokenizer_cases.py | install
	$(BIN)/python scripts/end_to_end_cases.py --output $(CASES)

# What needs no phone: Kotlin on the JVM, real interpreters, and answers that Python gives to the same texts.
test-android: install $(CASES)/models.json ## The Kotlin core and demo on the JVM, against answers of Python.
	scripts/install_maven.sh
	scripts/install_android_tools.sh
	$(BIN)/python scripts/shared_cases.py --output $(CASES)
	cd android_demo && MBL_CASES=$(CURDIR)/$(CASES) mvn -B -ntp test
	android_demo/maven/obfuscated.sh mobilebert_lite/data/demo/qa/vocab.txt $(CASES)/models/qa.tflite
	MBL_APP_LINES=$(CURDIR)/android_demo/app/target/app-lines $(BIN)/python -m pytest -q tests/bench/test_app_lines.py

test-android-fuzz: install $(CASES)/models.json ## Thousands of hostile files for the Kotlin reader (MBL_FUZZ_FILES: how many).
	scripts/install_maven.sh
	cd android_demo && MBL_CASES=$(CURDIR)/$(CASES) MBL_FUZZ_FILES=$${MBL_FUZZ_FILES:-5000} \
	  mvn -B -q -ntp -pl core test -Dtest=HostileFilesTest

test-app: install $(CASES)/models.json ## mbl bench in the demo app's own code, over the real adb (as root).
	scripts/prepare_adbd.sh build/adbd
	scripts/install_maven.sh
	scripts/install_android_tools.sh
	cd android_demo && MBL_CASES=$(CURDIR)/$(CASES) mvn -B -q -ntp test-compile
	MBL_TEST_APP=1 $(BIN)/python -m pytest -m device tests/device/test_app_own_code.py

APK_MODELS := $(CASES)/models/qa.tflite $(CASES)/models/classification.tflite

# The interpreter in it is the last one on Maven Central; apps built with Gradle have its successor.
android-apk: install $(CASES)/models.json ## Build the demo's package without an Android SDK, and verify it.
	scripts/install_maven.sh
	scripts/install_android_tools.sh
	$(BIN)/mbl android assets $(APK_MODELS) --min-runtime 2.16.1
	cd android_demo && mvn -B -q -ntp process-classes
	android_demo/maven/apk.sh out/demo.apk
	$(BIN)/python scripts/check_apk.py out/demo.apk --test out/demo-test.apk --json out/apk.json \
	  $(addprefix --model ,$(APK_MODELS))

SUITES := lint docs test test-slow test-fuzz test-clients test-transformers test-gpu test-npu test-browser test-processors test-device \
  test-android android-apk test-app bench-text bench-text-input bench-trained

# Hours. Without MBL_EXHAUSTIVE the slow suites leave out combinations that show what others have shown.
test-all: export MBL_EXHAUSTIVE := 1
test-all: $(SUITES) ## Every suite with every combination (hours; needs the test data).

# Whatever the suites install that is none of pip's, and their environments. Later installations find them there.
ci-tools: install $(VENV)/.npu-installed $(CLIENTS)/task-library/.installed $(CLIENTS)/mediapipe/.installed $(TRANSFORMERS)/tf5/.installed $(TRANSFORMERS)/tf446/.installed ## Install what the suites need, and run none.
	scripts/install_maven.sh
	scripts/install_android_tools.sh
	scripts/install_chromium.sh
	scripts/install_software_vulkan.sh
	scripts/prepare_adbd.sh build/adbd
	scripts/make_arm_root.sh .arm $(BIN)/python

##@ Comparisons, most of which need the test data; they write out/NAME.json

bench-NAME: ## NAME: trained outliers peers lengths text text-input npu train training-gains training-speed harness equal-files kotlin
	@echo "Give a name: $(addprefix bench-,trained outliers $(COMPARISONS))"

# The environment of PyTorch.
TORCH := .venv-torch

# For instance TRAINED="--only snips_qa --modes int8"; an hour for all.
bench-trained: SUITE = trained_checkpoints.py --check $(TRAINED)
bench-outliers: SUITE = outliers.py --check
bench-peers: SUITE = peers.py --plot out/peers.svg
bench-lengths: SUITE = lengths.py
bench-text: SUITE = text.py --check
# For instance TRAINING="--only sst2"; an hour for all.
bench-train: SUITE = training.py --check --plot out/training.svg $(TRAINING)
bench-training-gains: SUITE = training_gains.py
bench-training-speed: $(TORCH)/.installed
bench-training-speed: SUITE = training_speed.py --torch $(TORCH)/bin/python
bench-harness: out/harness.tflite
bench-harness: SUITE = harness.py out/harness.tflite --check
# Half an hour.
bench-equal-files: out/small.tflite
bench-equal-files: SUITE = equal_files.py out/small.tflite --load 2 --check

COMPARISONS := trained outliers peers lengths text train training-gains training-speed harness equal-files

$(addprefix bench-,$(COMPARISONS)): bench-%: install
	$(BIN)/python benchmarks/suites/$(SUITE) --json out/$*.json

# Every mode and processor on two blocks with the magnitudes of published checkpoints; NPU="--layers 24" for all blocks.
bench-npu: $(VENV)/.npu-installed
	$(BIN)/python benchmarks/suites/npu.py --weights $(or $(MBL_TEST_DATA),../shared)/checkpoints/trained/sst2_outliers \
	  --layers 2 --gain 3e4 --lengths 32,128,384 --simulate sm8750 --json out/npu.json --table out/npu.md $(NPU)

bench-text-input: install
	$(BIN)/python benchmarks/suites/text_input.py --check

out/harness.tflite: | install
	mkdir -p out
	$(BIN)/mbl convert --task qa --output $@

out/small.tflite: | install
	mkdir -p out
	$(BIN)/mbl convert --task classification --seq-len 32 --output $@

bench-kotlin: install
	scripts/install_maven.sh
	cd android_demo && mvn -B -q -ntp -pl core test-compile dependency:build-classpath -Dmdep.outputFile=target/classpath
	$(BIN)/python benchmarks/suites/kotlin_text.py --json out/kotlin.json \
	  --classpath "android_demo/core/target/classes:android_demo/core/target/test-classes:$$(cat android_demo/core/target/classpath)"

$(TORCH)/.installed: benchmarks/suites/torch.txt
	@echo "Installing PyTorch into $(TORCH) (with the CUDA libraries that it brings: some 3 GB to fetch, 6 GB installed)"
	$(PYTHON) -m venv $(TORCH)
	$(TORCH)/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	touch $@

.PHONY: help install demo test lint coverage docs wheel clean ci-tools test-all $(filter test-%,$(SUITES)) test-arm test-android-fuzz arm-cost arm-judge android-apk bench-NAME \
  $(addprefix bench-,$(COMPARISONS)) bench-npu bench-text-input bench-kotlin
