// What commands that open a model have in common.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "moescope/engine/opened_model.h"

namespace moescope::cli {

struct ModelOptions {
  engine::ModelChoice choice;
  machine::MachineOptions machine;

  void describe(OptionList& list);
  // Sizes the process' pool of threads and opens the model. Throws as OpenedModel::open.
  engine::OpenedModel open() const;
};

// What a model reads: text, through its tokenizer, or token ids.
struct InputOptions {
  std::string text;
  std::vector<std::int64_t> ids;

  // `text_name`: how the command calls the text.
  void describe(OptionList& list, const char* text_name, const char* text_help);
  // Throws as OpenedModel::tokenizer.
  std::vector<std::int64_t> token_ids(const engine::OpenedModel& model) const;
  void require() const;  // one of the two; throws kUsage

 private:
  const char* text_name_ = "";
};

}  // namespace moescope::cli
