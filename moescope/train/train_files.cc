#include "moescope/train/train_files.h"

#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <span>

#include "moescope/base/error.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/file.h"
#include "moescope/io/table.h"
#include "moescope/machine/device.h"

namespace moescope::train {
namespace {

namespace fs = std::filesystem;

std::string processor_name() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

template <typename Row>
void write_log(const fs::path& path, const std::vector<Row>& rows) {
  io::write_csv(path, run::to_table(std::span<const Row>(rows)));
}

// The rows up to the step of a saved state.
template <typename Row>
std::vector<Row> read_log(const fs::path& path, std::int64_t step) {
  std::vector<Row> rows = run::read_table<Row>(path);
  std::erase_if(rows, [&](const Row& row) { return row.step > step; });
  return rows;
}

void write_json(const fs::path& path, const nlohmann::json& json) {
  io::write_file_atomically(path, json.dump(2) + "\n");
}

void save_model_folder(const TrainSettings& settings, const Parameters& parameters, const TrainingText& text) {
  const fs::path out = settings.out;
  const model::ModelConfig& config = parameters.config();
  nlohmann::json config_json = model::find_family(config.family).write_config(config);
  config_json["torch_dtype"] = settings.save_dtype;
  write_json(out / "config.json", config_json);
  io::write_file_atomically(out / "tokenizer.json", text.tokenizer_json);
  nlohmann::json tokenizer_config = {{"tokenizer_class", "PreTrainedTokenizerFast"},
                                     {"model_max_length", config.n_ctx}};
  nlohmann::json generation_config = {{"_from_model_config", true}};
  if (text.eos_id >= 0) {
    tokenizer_config["eos_token"] = "<|endoftext|>";
    generation_config["eos_token_id"] = text.eos_id;
  }
  write_json(out / "tokenizer_config.json", tokenizer_config);
  write_json(out / "generation_config.json", generation_config);
  parameters.save(out / "model.safetensors", machine::parse_dtype(settings.save_dtype));
}

void save_training_json(const TrainSettings& settings, const Parameters& parameters, const AdamW& optimizer,
                        const TrainLog& log, const TrainingText& text) {
  const io::CorpusCounts& counts = text.counts;
  nlohmann::json json = {
      {"settings", to_json(settings)},
      {"steps", optimizer.n_steps()},
      {"tokens", optimizer.n_steps() * settings.batch_sequences * settings.model.n_ctx},
      {"seconds", log.seconds},
      {"machine",
       {{"processor", processor_name()}, {"threads", at::get_num_threads()}, {"device", settings.machine.device}}},
      {"n_parameters", parameters.config().n_parameters()},
      {"n_active_parameters", parameters.config().n_active_parameters()},
      {"text",
       {{"documents", counts.n_documents},
        {"empty", counts.n_empty},
        {"replaced_bytes", counts.n_replaced_bytes},
        {"files", counts.n_files},
        {"bytes", counts.n_bytes},
        {"bytes_by_domain", text.domain_bytes},
        {"train_tokens", text.train.size(0)},
        {"validation_tokens", text.validation.size(0)}}},
      {"loss_curve", "train_log.csv, validation_log.csv"}};
  if (!log.validation.empty()) {
    json["validation"] = {{"step", log.validation.back().step},
                          {"loss_nats", log.validation.back().loss},
                          {"perplexity", log.validation.back().perplexity}};
  }
  write_json(fs::path(settings.out) / "training.json", json);
}

// The settings that change the result; the others may differ between the runs of one training.
nlohmann::json result_settings(const TrainSettings& settings) { return to_json(settings, io::OptionChoice::kIdentity); }

void save_state(const TrainSettings& settings, const Parameters& parameters, AdamW& optimizer, const TrainLog& log) {
  std::vector<at::Tensor> kept;
  std::vector<std::string> names;
  const auto keep = [&](const std::string& name, const at::Tensor& value) {
    names.push_back(name);
    kept.push_back(value.detach().cpu().contiguous());
  };
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const std::string& name = parameters.all()[i].name;
    keep("value." + name, parameters.all()[i].value);
    keep("first." + name, optimizer.first_moments()[i]);
    keep("second." + name, optimizer.second_moments()[i]);
  }
  std::vector<io::TensorToWrite> tensors;
  for (std::size_t i = 0; i < kept.size(); ++i) tensors.push_back(tensor_to_write(names[i], kept[i]));
  io::write_safetensors(fs::path(settings.out) / "state" / "state.safetensors", tensors,
                        {{"step", std::to_string(optimizer.n_steps())},
                         {"seconds", fmt::format("{:.3f}", log.seconds)},
                         {"settings", result_settings(settings).dump()}});
}

// The first key in which two sets of settings differ, for the error.
std::string first_difference(const nlohmann::json& stored, const nlohmann::json& wanted,
                             const std::string& prefix = "") {
  for (const auto& [key, value] : wanted.items()) {
    if (!stored.contains(key)) return prefix + key;
    if (value.is_object()) {
      const std::string inner = first_difference(stored[key], value, prefix + key + ".");
      if (!inner.empty()) return inner;
    } else if (stored[key] != value) {
      return fmt::format("{}{} was {}, is now {}", prefix, key, stored[key].dump(), value.dump());
    }
  }
  return "";
}

}  // namespace

nlohmann::json to_json(TrainSettings settings, io::OptionChoice which) {
  OptionList run;
  settings.describe_run(run);
  nlohmann::json json = io::to_json(run, which);
  json["model"] = io::settings_json(settings.model, which);
  json["optimizer"] = io::settings_json(settings.optimizer, which);
  return json;
}

void save_all(const TrainSettings& settings, const Parameters& parameters, AdamW& optimizer, const TrainLog& log,
              const TrainingText& text) {
  const c10::NoGradGuard no_grad;
  fs::create_directories(fs::path(settings.out) / "state");
  save_model_folder(settings, parameters, text);
  write_log(fs::path(settings.out) / "train_log.csv", log.train);
  write_log(fs::path(settings.out) / "validation_log.csv", log.validation);
  save_training_json(settings, parameters, optimizer, log, text);
  save_state(settings, parameters, optimizer, log);
}

bool load_state(const TrainSettings& settings, Parameters& parameters, AdamW& optimizer, TrainLog& log) {
  const fs::path path = fs::path(settings.out) / "state" / "state.safetensors";
  if (!fs::exists(path)) return false;
  const io::SafetensorsFile file = io::SafetensorsFile::open(path);
  const auto& metadata = file.metadata();
  if (!metadata.contains("step") || !metadata.contains("settings") || !metadata.contains("seconds")) {
    throw input_error("{}: not a training state", path.string());
  }
  const std::string difference =
      first_difference(nlohmann::json::parse(metadata.at("settings")), result_settings(settings));
  if (!difference.empty()) {
    throw input_error("{}: a state of other settings: {}", path.string(), difference)
        .hint("use another folder with option 'out', or the settings of this state");
  }
  const c10::NoGradGuard no_grad;
  const auto take = [&](const std::string& name, at::Tensor& into) {
    const io::TensorView& view = file.at(name);
    if (view.shape != into.sizes().vec()) throw input_error("{}: tensor '{}' is misshapen", path.string(), name);
    into.copy_(
        at::from_blob(const_cast<std::byte*>(view.bytes.data()), view.shape, at::TensorOptions().dtype(at::kFloat)));
  };
  for (std::size_t i = 0; i < parameters.all().size(); ++i) {
    const std::string& name = parameters.all()[i].name;
    take("value." + name, parameters.all()[i].value);
    take("first." + name, optimizer.first_moments()[i]);
    take("second." + name, optimizer.second_moments()[i]);
  }
  optimizer.set_n_steps(std::stoll(metadata.at("step")));
  log.seconds = std::stod(metadata.at("seconds"));
  log.train = read_log<TrainRow>(fs::path(settings.out) / "train_log.csv", optimizer.n_steps());
  log.validation = read_log<ValidationRow>(fs::path(settings.out) / "validation_log.csv", optimizer.n_steps());
  return true;
}

}  // namespace moescope::train
