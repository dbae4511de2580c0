#include "moescope/engine/loss.h"

#include <algorithm>
#include <vector>

#include "moescope/model/blocks.h"

namespace moescope::engine {

at::Tensor next_token_losses(const model::ModelConfig& config, const model::EmbeddingWeights& embeddings,
                             const at::Tensor& residual, const Batch& batch, std::int64_t rows_at_a_time) {
  std::vector<std::int64_t> rows, targets;
  for (std::size_t i = 0; i < batch.next_token_id.size(); ++i) {
    if (batch.next_token_id[i] < 0) continue;
    rows.push_back(static_cast<std::int64_t>(i));
    targets.push_back(batch.next_token_id[i]);
  }
  at::Tensor losses = at::zeros({batch.n_tokens}, at::kFloat);
  const auto n_rows = static_cast<std::int64_t>(rows.size());
  const at::Tensor row_tensor = at::tensor(rows, at::kLong);
  const at::Tensor row_ids = row_tensor.to(residual.device());
  const at::Tensor target_ids = at::tensor(targets, at::kLong).to(residual.device());
  for (std::int64_t begin = 0; begin < n_rows; begin += rows_at_a_time) {
    const std::int64_t count = std::min(rows_at_a_time, n_rows - begin);
    const at::Tensor part = residual.index_select(0, row_ids.narrow(0, begin, count));
    const at::Tensor wide = model::unembed(config, embeddings, part).to(at::kFloat);
    const at::Tensor target = wide.gather(1, target_ids.narrow(0, begin, count).unsqueeze(1)).squeeze(1);
    losses.index_copy_(0, row_tensor.narrow(0, begin, count), (wide.logsumexp(1) - target).cpu());
  }
  return losses;
}

}  // namespace moescope::engine
