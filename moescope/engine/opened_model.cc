#include "moescope/engine/opened_model.h"

#include <c10/core/InferenceMode.h>

#include <filesystem>
#include <mutex>
#include <optional>

#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/base/progress.h"
#include "moescope/io/file.h"
#include "moescope/machine/device.h"

namespace moescope::engine {
namespace {

namespace fs = std::filesystem;

const fs::path& require_tokenizer(const io::CheckpointFolder& folder) {
  if (folder.tokenizer_json.empty()) throw input_error("no tokenizer.json").at(folder.folder.string());
  return folder.tokenizer_json;
}

text::Tokenizer load_tokenizer(const fs::path& tokenizer_json) { return text::Tokenizer::load(tokenizer_json); }

// Made at the first call of get(), whose callers may be several threads; made again if making threw.
template <typename T>
class Lazy {
 public:
  template <typename Make>
  const T& get(const Make& make) {
    const std::lock_guard lock(mutex_);
    if (!value_) value_.emplace(make());
    return *value_;
  }

 private:
  std::mutex mutex_;
  std::optional<T> value_;
};

}  // namespace

// Identities of runs have the checkpoint's hash instead.
void ModelChoice::describe(OptionList& list) {
  list.add("model", model, "folder of a model, or org/name in the Hugging Face cache",
           {.required = true, .positional = true, .in_identity = false});
  list.add("revision", revision, "branch, tag or commit in the cache", {.required = true, .in_identity = false});
}

struct OpenedModel::Parts {
  ModelChoice choice;
  machine::MachineOptions machine;
  at::Device device = at::Device(at::kCPU);
  at::ScalarType dtype = at::kFloat;
  model::Checkpoint checkpoint;
  Lazy<text::Tokenizer> tokenizer;
  Lazy<model::LanguageModel> language_model;
  Lazy<std::string> model_hash, tokenizer_hash;
};

OpenedModel::OpenedModel(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
OpenedModel::OpenedModel(OpenedModel&&) noexcept = default;
OpenedModel& OpenedModel::operator=(OpenedModel&&) noexcept = default;
OpenedModel::~OpenedModel() = default;

OpenedModel OpenedModel::open(const ModelChoice& choice, const machine::MachineOptions& options) {
  const at::Device device = machine::parse_device(options.device);
  if (options.n_threads < 0) throw usage_error("threads is {}, expected at least 0", options.n_threads);
  auto parts = std::make_unique<Parts>();
  parts->choice = choice;
  parts->machine = options;
  parts->device = device;
  parts->checkpoint = model::Checkpoint::open(io::find_checkpoint(choice.model, choice.revision));
  parts->dtype = machine::choose_dtype(options.dtype, parts->checkpoint.stored_dtype(), device);
  return OpenedModel(std::move(parts));
}

const ModelChoice& OpenedModel::choice() const { return parts_->choice; }
const machine::MachineOptions& OpenedModel::machine() const { return parts_->machine; }
const io::CheckpointFolder& OpenedModel::folder() const { return parts_->checkpoint.folder(); }
const model::Checkpoint& OpenedModel::checkpoint() const { return parts_->checkpoint; }
const model::ModelConfig& OpenedModel::config() const { return parts_->checkpoint.config(); }
at::Device OpenedModel::device() const { return parts_->device; }
at::ScalarType OpenedModel::dtype() const { return parts_->dtype; }
bool OpenedModel::has_tokenizer() const { return !folder().tokenizer_json.empty(); }

const text::Tokenizer& OpenedModel::tokenizer() const {
  return parts_->tokenizer.get([this] {
    const fs::path& path = require_tokenizer(folder());
    text::Tokenizer tokenizer = load_tokenizer(path);
    if (tokenizer.vocab_size() > config().d_vocab) {
      throw input_error("{} pieces, but the model's embedding has {} rows", tokenizer.vocab_size(), config().d_vocab)
          .at(path.string())
          .hint("this tokenizer belongs to another model");
    }
    return tokenizer;
  });
}

const model::LanguageModel& OpenedModel::language_model() const {
  return parts_->language_model.get([this] {
    const auto bytes =
        static_cast<std::uint64_t>(config().n_parameters()) * static_cast<std::uint64_t>(at::elementSize(dtype()));
    if (const std::uint64_t budget = machine().memory_bytes; budget > 0 && bytes > budget) {
      throw input_error("a memory budget of {} does not hold the model's {} of weights", format_bytes(budget),
                        format_bytes(bytes))
          .at(choice().model);
    }
    // Wherever it is asked for first, its tensors are ordinary ones.
    const c10::InferenceMode ordinary(false);
    return model::LanguageModel(checkpoint(), dtype(), device());
  });
}

const std::string& OpenedModel::model_hash() const {
  return parts_->model_hash.get([this] { return io::checkpoint_hash(folder()); });
}

const std::string& OpenedModel::tokenizer_hash() const {
  return parts_->tokenizer_hash.get([this] { return content_hash(io::read_file(require_tokenizer(folder()))); });
}

EngineOptions OpenedModel::engine_options(std::int64_t max_wave_tokens, std::int64_t max_batch_tokens) const {
  return {device(), dtype(), machine().memory_bytes, max_wave_tokens, max_batch_tokens};
}

text::Tokenizer open_tokenizer(const ModelChoice& choice) {
  // Neither needs config.json, which find_checkpoint would ask for.
  for (const fs::path& path : {fs::path(choice.model), fs::path(choice.model) / "tokenizer.json"}) {
    if (!fs::is_regular_file(path)) continue;
    if (choice.revision != "main") throw input_error("has no revision '{}'", choice.revision).at(path.string());
    return load_tokenizer(path);
  }
  return load_tokenizer(require_tokenizer(io::find_checkpoint(choice.model, choice.revision)));
}

}  // namespace moescope::engine
