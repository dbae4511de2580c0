// The strongest windows of an expert, as `moescope record` kept them, with the tokens that reached it marked:
//
//   strongest_windows runs/docs 1 3
//
// Reads a run directory and needs neither the model nor LibTorch. What the files hold: docs/run-directory.md.
#include <fmt/format.h>

#include <charconv>
#include <string>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/io/safetensors.h"
#include "moescope/run/record_files.h"
#include "moescope/run/run_json.h"
#include "moescope/run/tensor_file.h"

namespace run = moescope::run;

namespace {

std::int64_t whole_number(const std::string& text) {
  std::int64_t value = 0;
  const char* end = text.data() + text.size();
  const auto [behind, failed] = std::from_chars(text.data(), end, value);
  if (failed != std::errc() || behind != end) throw moescope::usage_error("'{}' is not a whole number", text);
  return value;
}

// Window w as text, every routed token between double asterisks. A score of 0 says that the token was not routed here.
std::string marked_text(const run::Evidence& evidence, std::size_t w, const std::vector<std::string>& pieces) {
  std::string text;
  const std::size_t first = w * static_cast<std::size_t>(evidence.n_positions);
  for (std::size_t t = first; t < first + static_cast<std::size_t>(evidence.length[w]); ++t) {
    const std::string& piece = pieces.at(static_cast<std::size_t>(evidence.token_ids[t]));
    text += evidence.scores[t] > 0 ? "**" + piece + "**" : piece;
  }
  return text;
}

void print_strongest(const std::string& folder, std::int64_t layer, std::int64_t expert) {
  const run::ModelPart model = run::model_of(run::read_run_json(folder, "record"), folder);
  if (layer < 0 || layer >= model.n_layers || expert < 0 || expert >= model.n_experts) {
    throw moescope::input_error("no expert {} in layer {}: the model has {} layers of {} experts", expert, layer,
                                model.n_layers, model.n_experts);
  }
  const std::vector<std::string> pieces = run::read_vocabulary(folder);
  const auto evidence =
      run::read_tensors<run::Evidence>(moescope::io::SafetensorsFile::open(folder + "/evidence.safetensors"));

  // Windows are sorted by layer, expert, kind and falling strength. Kind 0 are the strongest ones, kind 1 a sample.
  int n_printed = 0;
  for (std::size_t w = 0; w < evidence.layer.size(); ++w) {
    if (evidence.layer[w] != layer || evidence.expert[w] != expert || evidence.kind[w] != 0) continue;
    fmt::print("{:.3f}  document {}, token {}: {}\n", evidence.strength[w], evidence.doc_idx[w], evidence.position[w],
               marked_text(evidence, w, pieces));
    ++n_printed;
  }
  if (n_printed == 0) fmt::print("no window: no token of the corpus reached expert {} of layer {}\n", expert, layer);
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 4) {
    fmt::print(stderr, "usage: strongest_windows RUN_DIRECTORY LAYER EXPERT\n");
    return 2;
  }
  try {
    print_strongest(argv[1], whole_number(argv[2]), whole_number(argv[3]));
  } catch (const std::exception& error) {  // moescope::Error: one line that names the place
    fmt::print(stderr, "strongest_windows: {}\n", error.what());
    return 1;
  }
  return 0;
}
