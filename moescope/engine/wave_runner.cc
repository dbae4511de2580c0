#include "moescope/engine/wave_runner.h"

#include "moescope/base/error.h"
#include "moescope/engine/loss.h"
#include "moescope/model/layer.h"

namespace moescope::engine {
namespace {

at::Tensor rows_of(const at::Tensor& residual, const Batch& batch) {
  return residual.narrow(0, batch.first_row, batch.n_tokens);
}

}  // namespace

WaveRunner::WaveRunner(const model::Checkpoint& checkpoint, const WaveContext& context, const MemoryPlan& plan,
                       TapSet& taps)
    : config_(checkpoint.config()),
      context_(context),
      plan_(plan),
      taps_(taps),
      embeddings_(checkpoint.embeddings(context.dtype, context.device)),
      layers_(checkpoint, context.dtype, context.device, plan.keep_layers),
      rotary_(model::make_rotary_table(config_.attention, context.context, context.dtype, context.device)) {}

at::Tensor WaveRunner::embed(const std::vector<Batch>& batches) const {
  std::int64_t n_tokens = 0;
  for (const Batch& batch : batches) n_tokens += batch.n_tokens;
  at::Tensor residual = at::empty({n_tokens, config_.d_model}, embeddings_.token_embedding.options());
  for (const Batch& batch : batches) {
    const at::Tensor ids = at::tensor(batch.token_ids, at::kInt).to(context_.device);
    const at::Tensor rows = rows_of(residual, batch);
    for (const model::EqualLengths& run : batch.lengths) {
      const std::int64_t n = run.n_sequences * run.n_positions;
      const at::Tensor sequences = ids.narrow(0, run.first_row, n).view({run.n_sequences, run.n_positions});
      rows.narrow(0, run.first_row, n).copy_(model::embed(embeddings_, sequences).view({n, -1}));
    }
  }
  return residual;
}

void WaveRunner::run_layers(const std::vector<Batch>& batches, const LayerRange& range, at::Tensor& residual,
                            const Step& step) {
  MOESCOPE_ASSERT(range.begin >= 0 && range.begin <= range.end && range.end <= config_.n_layers);
  for (std::int64_t layer = range.begin; layer < range.end; ++layer) {
    const model::LayerWeights& weights =
        layers_.take(layer, layer + 1 < range.end ? std::optional(layer + 1) : range.next);
    for (const Batch& batch : batches) {
      const LayerView view{layer, batch};
      model::run_layer(config_, layer, weights,
                       {rotary_, batch.lengths, plan_.attention_tokens, nullptr, taps_.observe(view)},
                       rows_of(residual, batch));
      taps_.layer_end(view);
      step(batch);
    }
  }
}

void WaveRunner::run_losses(const std::vector<Batch>& batches, const at::Tensor& residual, const Step& step) {
  if (!taps_.wants_final()) return;
  for (const Batch& batch : batches) {
    taps_.losses(batch, next_token_losses(config_, embeddings_, rows_of(residual, batch), batch, plan_.logit_rows));
    step(batch);
  }
}

}  // namespace moescope::engine
