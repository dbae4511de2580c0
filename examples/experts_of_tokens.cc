// Which experts every token of a text reaches, layer by layer, and with what weight:
//
//   experts_of_tokens models/tiny-olmoe 'The quick brown fox'
//
// Opens a model once, runs one short input, and reads along with an observer of each layer.
#include <c10/core/InferenceMode.h>
#include <fmt/format.h>

#include <string>
#include <vector>

#include "moescope/engine/opened_model.h"

namespace {

// Keeps what the router of one layer decided. LayerObserver has more to see: residual, neurons, outputs (model/moe.h).
class RoutingKeeper : public moescope::model::LayerObserver {
 public:
  void on_routing(const moescope::model::Routing& routing) override {
    expert_ids_ = routing.expert_ids.cpu().contiguous();
    weights_ = routing.weights.cpu().contiguous();
  }

  // "7:0.312 12:0.201 ...", by falling score of the router.
  std::string experts_of(std::int64_t token_idx) const {
    const auto ids = expert_ids_.accessor<std::int64_t, 2>();  // [N, K]
    const auto weights = weights_.accessor<float, 2>();        // [N, K]
    std::string text;
    for (std::int64_t k = 0; k < ids.size(1); ++k) {
      text += fmt::format("{}{}:{:.3f}", k > 0 ? " " : "", ids[token_idx][k], weights[token_idx][k]);
    }
    return text;
  }

 private:
  at::Tensor expert_ids_, weights_;
};

void print_experts(const std::string& model_name, const std::string& text) {
  moescope::machine::MachineOptions machine;
  machine.dtype = "float32";  // whatever the checkpoint is stored in
  const auto opened = moescope::engine::OpenedModel::open({.model = model_name}, machine);
  const moescope::text::EncodedText tokens = opened.tokenizer().encode(text);

  const c10::InferenceMode no_gradients;
  const std::vector<std::int64_t> ids(tokens.ids.begin(), tokens.ids.end());
  const at::Tensor batch = at::tensor(ids, at::kLong).unsqueeze(0).to(opened.device());  // [1, T]
  std::vector<RoutingKeeper> layers(static_cast<std::size_t>(opened.config().n_layers));
  opened.language_model().residual(batch, [&](std::int64_t layer) { return &layers[static_cast<std::size_t>(layer)]; });

  for (std::size_t t = 0; t < ids.size(); ++t) {
    const moescope::text::Offset span = tokens.bytes[t];
    fmt::print("token {} \"{}\"\n", t,
               text.substr(static_cast<std::size_t>(span.begin), static_cast<std::size_t>(span.end - span.begin)));
    for (std::size_t layer = 0; layer < layers.size(); ++layer) {
      fmt::print("  layer {}  {}\n", layer, layers[layer].experts_of(static_cast<std::int64_t>(t)));
    }
  }
}

}  // namespace

int main(int argc, char** argv) {
  if (argc != 3) {
    fmt::print(stderr, "usage: experts_of_tokens MODEL TEXT\n");
    return 2;
  }
  try {
    print_experts(argv[1], argv[2]);
  } catch (const std::exception& error) {
    fmt::print(stderr, "experts_of_tokens: {}\n", error.what());
    return 1;
  }
  return 0;
}
