// Input of the benchmarks: a checkpoint of OLMoE-1B-7B's widths with random bfloat16 weights, and random text.
#pragma once

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "moescope/base/random.h"
#include "moescope/io/file.h"
#include "moescope/io/safetensors.h"
#include "moescope/model/family.h"
#include "moescope/text/windows.h"

namespace moescope::bench {

namespace fs = std::filesystem;

inline model::ModelConfig olmoe_shape(std::int64_t n_layers, std::int64_t n_experts) {
  model::ModelConfig config;
  config.family = "olmoe";
  config.d_model = 2048;
  config.d_expert = 1024;
  config.d_vocab = 50304;
  config.n_layers = n_layers;
  config.n_ctx = 4096;
  config.attention.n_heads = config.attention.n_kv_heads = 16;
  config.attention.d_head = 128;
  config.attention.qk_norm = model::QkNorm::kWhole;
  config.attention.rope.d_rotary = 128;
  config.router.n_experts = n_experts;
  config.router.n_experts_per_token = 8;
  config.eos_token_ids = {50279};
  return config;
}

// Norms are 1, everything else uniform with the variance of an untrained model.
inline std::vector<at::BFloat16> random_values(const model::WeightSpec& spec, std::size_t n, std::uint64_t seed) {
  if (spec.shape.size() == 1) return std::vector<at::BFloat16>(n, at::BFloat16(1.0F));
  const float scale = std::sqrt(3.0F / static_cast<float>(spec.shape.back()));
  std::vector<at::BFloat16> values(n);
  Random random(seed);
  for (at::BFloat16& value : values) value = at::BFloat16(scale * (2 * static_cast<float>(random.uniform()) - 1));
  return values;
}

// A random checkpoint in a folder below `cache`, made once.
inline fs::path make_checkpoint(const fs::path& cache, std::int64_t n_layers, std::int64_t n_experts) {
  const fs::path folder = cache / fmt::format("olmoe-{}-layers-{}-experts", n_layers, n_experts);
  if (fs::exists(folder / "config.json")) return folder;
  fs::create_directories(folder);
  std::fprintf(stderr, "writing a random checkpoint to %s\n", folder.c_str());
  const model::ModelConfig config = olmoe_shape(n_layers, n_experts);
  const model::Family& family = model::find_family(config.family);
  struct Named {
    model::WeightSpec spec;
    std::string name;
  };
  std::vector<Named> tensors;
  std::vector<io::TensorToWrite> plan;
  for (const model::WeightSpec& spec : family.weights(config, model::no_names)) {
    for (std::int64_t l = 0; l < (spec.per_layer() ? config.n_layers : 1); ++l) {
      for (std::int64_t e = 0; e < (spec.per_expert() ? config.router.n_experts : 1); ++e) {
        tensors.push_back({spec, spec.name(l, e)});
        plan.push_back({tensors.back().name, io::DType::kBF16, spec.shape, {}});
      }
    }
  }
  io::SafetensorsWriter writer(folder / "model.safetensors", plan);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    std::size_t n = 1;
    for (const std::int64_t size : tensors[i].spec.shape) n *= static_cast<std::size_t>(size);
    const std::vector<at::BFloat16> values = random_values(tensors[i].spec, n, hash64(1, i));
    writer.append(tensors[i].name, std::as_bytes(std::span(values)));
  }
  writer.finish();
  io::write_file_atomically(folder / "config.json", family.write_config(config).dump(2));  // last: it says "complete"
  return folder;
}

// Token ids whose frequency falls like 1 / rank, in documents of some 1,000 tokens.
inline text::TokenCorpus random_corpus(std::int64_t n_tokens, std::int64_t d_vocab, std::int64_t context) {
  Random random(3);
  text::TokenCorpus corpus;
  const double log_vocab = std::log(static_cast<double>(d_vocab));
  while (static_cast<std::int64_t>(corpus.token_ids.size()) < n_tokens) {
    const auto n_before = static_cast<std::int64_t>(corpus.token_ids.size());
    text::TokenizedDocument document;
    document.corpus_idx = static_cast<std::int64_t>(corpus.documents.size());
    document.first_token = n_before;
    document.n_tokens =
        std::min<std::int64_t>(n_tokens - n_before, 500 + static_cast<std::int64_t>(random.below(1000)));
    document.domain = random.below(2) == 0 ? "a" : "b";
    for (std::int64_t t = 0; t < document.n_tokens; ++t) {
      corpus.token_ids.push_back(static_cast<std::int32_t>(std::exp(random.uniform() * log_vocab)) - 1);
    }
    corpus.documents.push_back(document);
  }
  text::tile_documents(corpus, context, 32, 1);
  return corpus;
}

inline std::string processor() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(':') + 2);
  }
  return "unknown";
}

// Flags in pairs, --name value; prints `usage` and ends for --help, an unknown name or a name without a value.
template <typename Set>
void parse_flags(int argc, char** argv, const char* usage, const Set& set) {
  for (int i = 1; i < argc; i += 2) {
    const std::string name = argv[i];
    const bool known = i + 1 < argc && set(name, std::string(argv[i + 1]));
    if (known) continue;
    std::fprintf(name == "--help" ? stdout : stderr, "usage: %s\n", usage);
    std::exit(name == "--help" ? 0 : 2);
  }
}

}  // namespace moescope::bench
