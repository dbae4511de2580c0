#include "moescope/cli/model_flags.h"

#include <charconv>

#include "moescope/base/byte_size.h"
#include "moescope/base/error.h"
#include "moescope/machine/threads.h"

namespace moescope::cli {
namespace {

constexpr const char* kMachine = "Machine";

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

}  // namespace

void add_choice_flags(CLI::App& command, engine::ModelChoice& choice) {
  command.add_option("model", choice.model, "folder of a model, or org/name in the Hugging Face cache")->required();
  command.add_option("--revision", choice.revision, "branch, tag or commit in the cache")->capture_default_str();
}

void add_device_flags(CLI::App& command, machine::DeviceOptions& device) {
  command.add_option("--device", device.device, "cpu, cuda or cuda:INDEX")->capture_default_str()->group(kMachine);
  command.add_option("--threads", device.n_threads, "0: all processors")->capture_default_str()->group(kMachine);
}

void add_model_flags(CLI::App& command, ModelFlags& flags) {
  add_choice_flags(command, flags.choice);
  add_device_flags(command, flags.machine);
  command.add_option("--dtype", flags.machine.dtype, "auto, float32 or bfloat16")
      ->capture_default_str()
      ->group(kMachine);
  command.add_option("--memory", flags.memory, "memory budget such as 8G (default: half of what is free)")
      ->group(kMachine);
}

engine::OpenedModel open_model(const ModelFlags& flags) {
  machine::MachineOptions machine = flags.machine;
  if (!flags.memory.empty()) machine.memory_bytes = parse_bytes(flags.memory);
  machine::set_process_threads(machine.n_threads);
  return engine::OpenedModel::open(flags.choice, machine);
}

std::vector<std::int64_t> input_ids(const engine::OpenedModel& model, const std::string& text, const std::string& ids) {
  if (!ids.empty()) return parse_ids(ids);
  try {
    const std::vector<std::int32_t> encoded = model.tokenizer().encode(text).ids;
    return {encoded.begin(), encoded.end()};
  } catch (const Error& error) {
    throw error.hint("or give token ids with --ids");
  }
}

}  // namespace moescope::cli
