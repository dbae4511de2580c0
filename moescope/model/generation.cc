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
  if (options.max_new_tokens < 1)
    throw usage_error("max_new_tokens is {}, expected at least 1", options.max_new_tokens);
  if (!(options.temperature >= 0)) throw usage_error("temperature is {}, expected 0 or more", options.temperature);
  if (!(options.top_p > 0 && options.top_p <= 1)) {
    throw usage_error("top-p is {}, expected more than 0 and at most 1", options.top_p);
  }
}

at::Tensor to_ids(const std::vector<std::int64_t>& ids, at::Device device) {
  return at::tensor(at::ArrayRef<std::int64_t>(ids), at::TensorOptions().dtype(at::kLong)).unsqueeze(0).to(device);
}

}  // namespace

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
