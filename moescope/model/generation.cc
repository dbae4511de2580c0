#include "moescope/model/generation.h"

#include <c10/core/GradMode.h>

#include <algorithm>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/base/random.h"

namespace moescope::model {
namespace {

void check(const LanguageModel& model, const std::vector<std::int64_t>& prompt, const GenerationOptions& options) {
  if (prompt.empty()) throw input_error("the prompt has no tokens");
  if (static_cast<std::int64_t>(prompt.size()) > model.config().n_ctx) {
    throw input_error("the prompt has {} tokens, the model's context {}", prompt.size(), model.config().n_ctx);
  }
  check_options(options);
}

at::Tensor to_ids(const std::vector<std::int64_t>& ids, at::Device device) {
  return at::tensor(at::ArrayRef<std::int64_t>(ids), at::TensorOptions().dtype(at::kLong)).unsqueeze(0).to(device);
}

}  // namespace

void GenerationOptions::describe(OptionList& list) {
  list.add("max-new-tokens", max_new_tokens, "at most so many", {.unit = "tokens", .least = 1});
  list.add("temperature", temperature, "0: always the most probable token", {.least = 0});
  list.add("top-p", top_p, "sample from the most probable tokens that reach this mass", {.above = 0, .most = 1});
  list.add("seed", seed, "of the sampling");
}

std::int64_t choose_token(const at::Tensor& logits, double temperature, double top_p, double uniform) {
  const at::Tensor wide = logits.to(at::kCPU, at::kDouble).contiguous();
  if (temperature == 0) {
    const double* values = wide.const_data_ptr<double>();
    return std::max_element(values, values + wide.size(0)) - values;
  }
  const at::Tensor probs = at::softmax(wide / temperature, 0);
  const auto [sorted, order] = at::sort(probs, /*stable=*/true, 0, /*descending=*/true);
  const double* p = sorted.const_data_ptr<double>();
  const std::int64_t n_vocab = sorted.size(0);
  std::int64_t n_kept = 0;
  double kept = 0;
  while (n_kept < n_vocab && (n_kept == 0 || kept < top_p)) kept += p[n_kept++];
  double left = uniform * kept;
  std::int64_t pick = 0;
  while (pick + 1 < n_kept && left >= p[pick]) left -= p[pick++];
  return order[pick].item<std::int64_t>();
}

Generation generate(const LanguageModel& model, const std::vector<std::int64_t>& prompt,
                    const GenerationOptions& options, const std::function<void(std::int64_t)>& on_token) {
  check(model, prompt, options);
  const c10::NoGradGuard no_grad;
  Random random(options.seed);
  Generation result;
  KvCache cache;
  std::vector<std::int64_t> step = prompt;
  const std::vector<std::int64_t>& eos = model.config().eos_token_ids;
  while (static_cast<std::int64_t>(result.ids.size()) < options.max_new_tokens) {
    throw_if_interrupted("generation stopped");
    if (cache.n_past + static_cast<std::int64_t>(step.size()) > model.config().n_ctx) {
      result.context_full = true;
      break;
    }
    const at::Tensor residual = model.residual(to_ids(step, model.device()), {}, &cache);
    const at::Tensor logits = model.logits(residual.select(1, residual.size(1) - 1)).squeeze(0);
    const std::int64_t next = choose_token(logits, options.temperature, options.top_p, random.uniform());
    if (std::find(eos.begin(), eos.end(), next) != eos.end()) {
      result.ended = true;
      break;
    }
    result.ids.push_back(next);
    if (on_token) on_token(next);
    step = {next};
  }
  return result;
}

}  // namespace moescope::model
