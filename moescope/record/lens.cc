#include "moescope/record/lens.h"

#include <algorithm>

#include "moescope/base/interrupt.h"
#include "moescope/base/progress.h"

namespace moescope::record {
namespace {

constexpr std::int64_t kCandidates = 16;          // found in the model's dtype, ordered in float32
constexpr std::int64_t kLogitBytes = 64ll << 20;  // of logits at a time

// ids [P, C] -> the same rows by falling exact logit, ties to the lower id, cut to kPromotedTokens.
at::Tensor order_exactly(const at::Tensor& ids, const at::Tensor& outputs, const at::Tensor& unembedding) {
  const at::Tensor ascending = std::get<0>(ids.sort(1));  // then a stable sort leaves ties in order of ids
  const at::Tensor rows = unembedding.index_select(0, ascending.reshape({-1})).to(at::kFloat);
  const at::Tensor logits =
      at::bmm(rows.view({ids.size(0), ids.size(1), -1}), outputs.to(at::kFloat).unsqueeze(2)).squeeze(2);
  const at::Tensor order = std::get<1>(at::sort(logits, /*stable=*/true, 1, /*descending=*/true));
  return ascending.gather(1, order).narrow(1, 0, std::min(kPromotedTokens, ids.size(1)));
}

}  // namespace

at::Tensor promoted_tokens(const model::EmbeddingWeights& embeddings, const at::Tensor& outputs,
                           const LensOptions& options) {
  at::Tensor o = outputs.to(options.device);
  if (options.final_norm_scale && embeddings.final_norm.weight.defined()) o = o * embeddings.final_norm.weight;
  const std::int64_t d_vocab = embeddings.unembedding.size(0);
  const at::Tensor logits = at::linear(o, embeddings.unembedding);
  const at::Tensor ids = std::get<1>(logits.topk(std::min(kCandidates, d_vocab), 1));
  const at::Tensor best = order_exactly(ids, o, embeddings.unembedding).cpu();
  if (best.size(1) == kPromotedTokens) return best;
  return at::cat({best, at::full({best.size(0), kPromotedTokens - best.size(1)}, -1, best.options())}, 1);
}

std::vector<std::int32_t> promote(const std::vector<KeptWindow>& windows, const model::EmbeddingWeights& embeddings,
                                  const LensOptions& options, const Console& console) {
  const c10::InferenceMode inference(true);
  constexpr std::size_t kIdsPerWindow = kStrongestTokens * kPromotedTokens;
  std::vector<std::int32_t> promoted(windows.size() * kIdsPerWindow, -1);
  const std::int64_t row_bytes = embeddings.unembedding.size(0) * embeddings.unembedding.element_size();
  const auto at_a_time = static_cast<std::size_t>(
      std::max<std::int64_t>(1, kLogitBytes / row_bytes / static_cast<std::int64_t>(kStrongestTokens)));
  Progress progress(console, "promoted tokens", "windows", static_cast<std::int64_t>(windows.size()));
  for (std::size_t begin = 0; begin < windows.size(); begin += at_a_time) {
    throw_if_interrupted("state saved; the same command goes on");
    const std::size_t end = std::min(windows.size(), begin + at_a_time);
    std::vector<at::Tensor> outputs;
    for (std::size_t w = begin; w < end; ++w) outputs.push_back(windows[w].outputs);
    const at::Tensor ids = promoted_tokens(embeddings, at::cat(outputs), options).contiguous();
    const std::int64_t* id = ids.const_data_ptr<std::int64_t>();
    for (std::size_t w = begin; w < end; ++w) {
      for (std::size_t j = 0; j < kStrongestTokens; ++j, id += kPromotedTokens) {
        if (windows[w].candidate->strongest[j] < 0) continue;
        for (std::size_t t = 0; t < kPromotedTokens; ++t) {
          promoted[w * kIdsPerWindow + j * kPromotedTokens + t] = static_cast<std::int32_t>(id[t]);
        }
      }
    }
    progress.update(static_cast<std::int64_t>(end));
  }
  progress.finish();
  return promoted;
}

}  // namespace moescope::record
