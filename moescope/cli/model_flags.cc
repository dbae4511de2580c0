#include "moescope/cli/model_flags.h"

#include <charconv>

#include "moescope/base/error.h"
#include "moescope/engine/device.h"

namespace moescope::cli {

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  command.add_option("model", flags.model, "folder of a model, or org/name in the Hugging Face cache")->required();
  command.add_option("--revision", flags.revision, "branch, tag or commit in the cache")->capture_default_str();
  command.add_option("--device", flags.device, "cpu or cuda[:i]")->capture_default_str();
  command.add_option("--dtype", flags.dtype, "auto, float32 or bfloat16")->capture_default_str();
  command.add_option("--threads", flags.threads, "0: all processors")->capture_default_str();
}

LoadedModel load_model(const ModelFlags& flags) {
  engine::set_threads(flags.threads);
  const at::Device device = engine::parse_device(flags.device);
  LoadedModel loaded;
  loaded.folder = io::find_checkpoint(flags.model, flags.revision);
  loaded.checkpoint = std::make_unique<model::Checkpoint>(model::Checkpoint::open(loaded.folder));
  const at::ScalarType dtype = engine::choose_dtype(flags.dtype, loaded.checkpoint->stored_dtype(), device);
  loaded.model = std::make_unique<model::LanguageModel>(*loaded.checkpoint, dtype, device);
  return loaded;
}

text::Tokenizer LoadedModel::tokenizer() const {
  if (folder.tokenizer_json.empty()) {
    throw input_error("{}: no tokenizer.json", folder.folder.string()).hint("give token ids instead");
  }
  text::Tokenizer tokenizer = text::Tokenizer::load(folder.tokenizer_json);
  if (tokenizer.vocab_size() > checkpoint->config().d_vocab) {
    throw input_error("{}: {} pieces, but the model's embedding has {} rows: the tokenizer of another model",
                      folder.tokenizer_json.string(), tokenizer.vocab_size(), checkpoint->config().d_vocab);
  }
  return tokenizer;
}

std::vector<std::int64_t> parse_ids(const std::string& text) {
  std::vector<std::int64_t> ids;
  for (std::size_t begin = 0; begin <= text.size();) {
    const std::size_t end = std::min(text.find(',', begin), text.size());
    std::int64_t id = 0;
    const auto [stop, error] = std::from_chars(text.data() + begin, text.data() + end, id);
    if (error != std::errc() || stop != text.data() + end) {
      throw usage_error("--ids: '{}' is not a token id", text.substr(begin, end - begin));
    }
    ids.push_back(id);
    begin = end + 1;
  }
  return ids;
}

}  // namespace moescope::cli
