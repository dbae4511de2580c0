// A model as everything that runs it takes it: found, opened, checked, with the device and dtype it computes in.
//
//   const OpenedModel model = OpenedModel::open({.model = "models/tiny-olmoe"}, {});
//   record::record(model, options, console);
//
// It is opened once and serves any number of calls. Tokenizer, weights of the whole model and hashes are made when they
// are first asked for, since a trace of token ids needs no tokenizer and a run over a corpus never holds all weights.
#pragma once

#include <ATen/ATen.h>

#include <memory>
#include <string>

#include "moescope/engine/engine.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/machine/options.h"
#include "moescope/model/language_model.h"
#include "moescope/model/weights.h"
#include "moescope/text/tokenizer.h"

namespace moescope::engine {

// Which model: the same in every command.
struct ModelChoice {
  std::string model;              // folder, or org/name in the Hugging Face cache
  std::string revision = "main";  // of the cache: branch, tag or commit

  void describe(OptionList& list);
};

// Owns everything it gives out; may be moved, and used from several threads.
class OpenedModel {
 public:
  // Throws kInput (io::find_checkpoint, model::Checkpoint::open), kUsage for words that are no device or dtype,
  // kEnvironment for a device that is not there. Sets nothing outside this object.
  static OpenedModel open(const ModelChoice& choice, const machine::MachineOptions& options);
  OpenedModel(OpenedModel&&) noexcept;
  OpenedModel& operator=(OpenedModel&&) noexcept;
  ~OpenedModel();

  const ModelChoice& choice() const;
  const machine::MachineOptions& machine() const;  // as given
  const io::CheckpointFolder& folder() const;
  const model::Checkpoint& checkpoint() const;
  const model::ModelConfig& config() const;
  at::Device device() const;
  at::ScalarType dtype() const;  // in which the model runs: kFloat or kBFloat16

  bool has_tokenizer() const;
  // Throws kInput if there is none, it cannot be read, or it has more pieces than the model's embedding has rows.
  const text::Tokenizer& tokenizer() const;

  // The whole model in memory, for short inputs. Throws kInput if its weights do not fit the memory budget.
  const model::LanguageModel& language_model() const;

  const std::string& model_hash() const;      // io::checkpoint_hash
  const std::string& tokenizer_hash() const;  // content_hash of tokenizer.json; throws kInput if there is none

  // Device, dtype and memory budget for a pass.
  EngineOptions engine_options(std::int64_t max_wave_tokens = 0, std::int64_t max_batch_tokens = 0) const;

 private:
  struct Parts;
  explicit OpenedModel(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

// The tokenizer alone, for what runs no model: of a tokenizer.json, of a folder that has one, or of a model.
text::Tokenizer open_tokenizer(const ModelChoice& choice);

}  // namespace moescope::engine
