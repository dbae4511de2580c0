// Text generation with a key-value cache: greedy, or sampled with temperature and top-p (Holtzman et al. 2020).
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

#include "moescope/base/options.h"
#include "moescope/model/language_model.h"

namespace moescope::model {

struct GenerationOptions {
  std::int64_t max_new_tokens = 50;  // fewer if an end-of-text token comes or the context is full
  double temperature = 0.0;          // 0: the most probable token (ties to the lower id)
  double top_p = 1.0;                // sample from the fewest tokens whose probabilities reach top_p; in (0, 1]
  std::uint64_t seed = 0;

  void describe(OptionList& list);
};

struct Generation {
  std::vector<std::int64_t> ids;  // new tokens only, without the end-of-text token that ended them
  bool ended = false;             // an end-of-text token came
  bool context_full = false;
};

// `on_token` sees every new token as it comes. Throws kInput for an empty prompt, one longer than the context, or
// options out of range.
Generation generate(const LanguageModel& model, const std::vector<std::int64_t>& prompt,
                    const GenerationOptions& options, const std::function<void(std::int64_t)>& on_token = {});

// The next token for logits [V] (any dtype): what generate() draws, as a function of its own for tests.
// `uniform` in [0, 1) is the draw; not used when temperature is 0.
std::int64_t choose_token(const at::Tensor& logits, double temperature, double top_p, double uniform);

}  // namespace moescope::model
