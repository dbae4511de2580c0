// One recording of a random checkpoint, for comparing memory limits: bench/larger_than_memory runs it with and without.
//
//   streaming_bench [--layers N] [--experts N] [--tokens N] [--context N] [--wave N] [--batch N] [--threads N]
//                   [--memory SIZE] [--device cpu|cuda[:i]] [--cache FOLDER]
// Makes the checkpoint if it is not there (with --tokens 0 only that). Prints one JSON object: tokens/s, the peak of
// resident memory, whether layers were kept, and a hash of everything that was counted and traced.
#include <ATen/Parallel.h>

#include "bench/random_olmoe.h"
#include "moescope/base/byte_size.h"
#include "moescope/base/error.h"
#include "moescope/base/hash.h"
#include "moescope/engine/engine.h"
#include "moescope/engine/memory.h"
#include "moescope/io/checkpoint_folder.h"
#include "moescope/io/safetensors.h"
#include "moescope/machine/device.h"
#include "moescope/record/recorder.h"

namespace {

namespace fs = std::filesystem;
using namespace moescope;

struct Settings {
  std::int64_t n_layers = 20, n_experts = 16, n_tokens = 6144, context = 256, wave = 6144, batch = 1024;
  int n_threads = 0;
  std::uint64_t memory_bytes = 0;
  std::string device = "cpu";
  fs::path cache = fs::temp_directory_path() / "moescope-bench";
};

constexpr const char* kUsage =
    "streaming_bench [--layers N] [--experts N] [--tokens N] [--context N] [--wave N] [--batch N] [--threads N] "
    "[--memory SIZE] [--device cpu|cuda[:i]] [--cache FOLDER]";

Settings parse(int argc, char** argv) {
  Settings settings;
  bench::parse_flags(argc, argv, kUsage, [&](const std::string& name, const std::string& value) {
    if (name == "--layers")
      settings.n_layers = std::stoll(value);
    else if (name == "--experts")
      settings.n_experts = std::stoll(value);
    else if (name == "--tokens")
      settings.n_tokens = std::stoll(value);
    else if (name == "--context")
      settings.context = std::stoll(value);
    else if (name == "--threads")
      settings.n_threads = std::stoi(value);
    else if (name == "--wave")
      settings.wave = std::stoll(value);
    else if (name == "--batch")
      settings.batch = std::stoll(value);
    else if (name == "--memory")
      settings.memory_bytes = parse_bytes(value);
    else if (name == "--device")
      settings.device = value;
    else if (name == "--cache")
      settings.cache = value;
    else
      return false;
    return true;
  });
  return settings;
}

std::string hash_of(record::Recorder& recorder, const fs::path& folder) {
  recorder.save(folder / "state.safetensors", {});
  ContentHasher hasher;
  for (const char* name : {"state.safetensors", "trace.bin"}) {
    const auto file = io::MappedFile::open(folder / name);
    hasher.add({reinterpret_cast<const char*>(file->bytes().data()), file->bytes().size()});
  }
  fs::remove(folder / "state.safetensors");
  fs::remove(folder / "trace.bin");
  return hasher.digest();
}

nlohmann::json run(const Settings& settings) {
  if (settings.n_threads > 0) at::set_num_threads(settings.n_threads);
  const at::Device device = machine::parse_device(settings.device);
  const fs::path folder = bench::make_checkpoint(settings.cache, settings.n_layers, settings.n_experts);
  const auto checkpoint = model::Checkpoint::open(io::find_checkpoint(folder.string()));
  std::uint64_t file_bytes = 0;
  for (const fs::directory_entry& entry : fs::directory_iterator(folder)) file_bytes += entry.file_size();
  if (settings.n_tokens == 0) {
    return {{"checkpoint", folder.string()},
            {"file_bytes", file_bytes},
            {"device_bytes",
             (device.is_cpu() ? engine::free_memory_bytes() : machine::card_free_bytes(device)).value_or(0)}};
  }
  const text::TokenCorpus corpus =
      bench::random_corpus(settings.n_tokens, checkpoint.config().d_vocab, settings.context);
  record::RecorderOptions options;
  options.n_traced = settings.n_tokens;
  options.loss = false;
  options.dtype = at::kBFloat16;
  options.evidence.n_strongest = 10;
  options.evidence.n_reservoir = 20;
  fs::remove(settings.cache / "trace.bin");
  record::Recorder recorder(checkpoint.config(), corpus, options, settings.cache);
  engine::EngineOptions engine_options;
  engine_options.dtype = at::kBFloat16;
  engine_options.device = device;
  engine_options.memory_bytes = settings.memory_bytes;
  engine_options.max_wave_tokens = settings.wave;
  engine_options.max_batch_tokens = settings.batch;
  engine::Engine engine(checkpoint, corpus, engine_options, {&recorder});
  const engine::RunResult result = engine.run(0, {});
  return {{"file_bytes", file_bytes},
          {"tokens_per_s", static_cast<double>(result.n_tokens) / result.seconds},
          {"seconds", result.seconds},
          {"waves", result.n_waves},
          {"layers_kept", engine.plan().keep_layers},
          {"wave_tokens", engine.plan().wave_tokens},
          {"batch_tokens", engine.plan().batch_tokens},
          {"planned_bytes", engine.plan().total_bytes()},
          {"peak_bytes", engine::peak_resident_bytes().value_or(0)},
          {"result_hash", hash_of(recorder, settings.cache)},
          {"threads", at::get_num_threads()},
          {"machine", bench::processor()}};
}

}  // namespace

int main(int argc, char** argv) {
  try {
    std::printf("%s\n", run(parse(argc, argv)).dump(2).c_str());
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "streaming_bench: %s\n", error.what());
    return 1;
  }
}
