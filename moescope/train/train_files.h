// What a training run leaves on disk: the model folder, its logs, and the state that resuming needs.
#pragma once

#include <ATen/ATen.h>

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/io/option_json.h"
#include "moescope/train/data.h"
#include "moescope/train/objective.h"
#include "moescope/train/parameters.h"
#include "moescope/train/trainer.h"

namespace moescope::train {

struct TrainLog {
  std::vector<TrainRow> train;
  std::vector<ValidationRow> validation;
  double seconds = 0;  // of training, all runs together
};

// The settings, for training.json and to tell whether a state belongs to them.
nlohmann::json to_json(TrainSettings settings, io::OptionChoice which = io::OptionChoice::kAll);

// Writes the model folder, the logs, training.json and the state; the state comes last and whole.
void save_all(const TrainSettings& settings, const Parameters& parameters, AdamW& optimizer, const TrainLog& log,
              const TrainingText& text);

// Takes up OUT/state if there is one. Throws kInput if it was made with settings that change the result.
bool load_state(const TrainSettings& settings, Parameters& parameters, AdamW& optimizer, TrainLog& log);

}  // namespace moescope::train
