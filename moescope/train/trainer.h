// The training loop: text in, a Hugging Face model folder out, resumable at any saved step with equal results.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "moescope/base/progress.h"
#include "moescope/run/train_files.h"
#include "moescope/train/settings.h"

namespace moescope::train {

using run::TrainRow;
using run::ValidationRow;

struct TrainResult {
  std::int64_t n_steps = 0;
  std::int64_t n_tokens = 0;
  double seconds = 0;     // of all runs together
  bool finished = false;  // false: stopped by max_minutes, the same command goes on
  ValidationRow validation;
};

// Writes into settings.out: config.json, model.safetensors, tokenizer.json, tokenizer_config.json,
// generation_config.json (a folder that transformers loads), train_log.csv, validation_log.csv, training.json, and
// state/ (tokens, float32 parameters, moments, step). A folder with a state of the same settings is gone on with.
// Throws kInput for contradictory settings or a state of other settings, kInterrupted after saving on a signal.
TrainResult train(const TrainSettings& settings, const Console& console);

}  // namespace moescope::train
