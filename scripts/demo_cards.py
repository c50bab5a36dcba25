"""The model cards beside the demo checkpoints; ``{names}`` are filled from metrics.json."""

QA = """\
# Demo checkpoint: question answering

A small MobileBERT ({layers} layers, hidden {hidden}, {parameters:,} parameters, {megabytes:.1f} MB with its own
vocabulary of {vocabulary:,} lower-case words) that finds the words of a short voice-assistant command which answer a
question, or says that there are none. It is what `mbl convert` converts when no checkpoint is given, so that every step
can be tried offline. It was trained from scratch; nothing in it comes from the published MobileBERT.

    question  what is the artist ?
    context   add sabrina salerno to the grime instrumentals playlist
    answer    sabrina salerno

- **Data.** [SNIPS](https://github.com/sonos/nlu-benchmark) utterances (CC0), 13,084 for training. Each slot became
  a question ("what is the artist ?", "who is the singer ?"), about 15 % of the questions ask for a slot that the text
  lacks, and some texts join up to 16 utterances.
- **Scores** of the stored float16 weights on the 700 test utterances (26 of which also stand in SNIPS' training data),
  by the official SQuAD 2.0 rules:

| questions | number | exact match | F1 |
|---|---|---|---|
| "what is the … ?" | {test[total]:,} | {test[exact]:.2f} | {test[f1]:.2f} |
| – of these answerable | {test[HasAns_total]:,} | {test[HasAns_exact]:.2f} | {test[HasAns_f1]:.2f} |
| – of these unanswerable | {test[NoAns_total]:,} | {test[NoAns_exact]:.2f} | {test[NoAns_f1]:.2f} |
| in the wordings of the training, with and without punctuation | {varied[total]:,} | {varied[exact]:.2f} | \
{varied[f1]:.2f} |
| the same, several utterances joined (32 words or more) | {joined[total]:,} | {joined[exact]:.2f} | {joined[f1]:.2f} |

- **Training.** `python scripts/train_demo.py`: {steps:,} steps of AdamW, {seconds} s on {threads} CPU thread(s),
  seed {recipe[seed]}.
- **Limits.** It knows commands about music, playlists, restaurants, weather, books and films, in English. It is not
  a general question answering model: for other texts and questions its answers mean nothing. It was trained on
  sequences up to 256 tokens, at all 384 positions; longer ones were never seen.
- **Licence.** Apache-2.0, as the rest of the project.
"""

CLASSIFICATION = """\
# Demo checkpoint: classification

A small MobileBERT ({layers} layers, hidden {hidden}, {parameters:,} parameters, {megabytes:.1f} MB with its own
vocabulary of {vocabulary:,} lower-case words) that tells which of seven things a short voice-assistant command asks
for. It was trained from scratch; nothing in it comes from the published MobileBERT.

    text   will it snow in amy
    label  GetWeather

- **Labels.** {labels}.
- **Data.** [SNIPS](https://github.com/sonos/nlu-benchmark) utterances (CC0), 13,084 for training.
- **Score** of the stored float16 weights on the {test[total]} test utterances (26 of which also stand in SNIPS'
  training data): accuracy {test[accuracy]:.2f} %; with punctuation and apostrophes put in {varied[accuracy]:.2f} %.
- **Training.** `python scripts/train_demo.py`: {steps:,} steps of AdamW, {seconds} s on {threads} CPU thread(s),
  seed {recipe[seed]}.
- **Limits.** English commands of these seven kinds only; there is no "none of these", so every other text gets one of
  the seven labels, often with a high probability. Trained on single utterances.
- **Licence.** Apache-2.0, as the rest of the project.
"""
