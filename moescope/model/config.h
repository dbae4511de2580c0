// What a language model is made of: the numbers of config.json in moescope's words, the same for every family.
//
// Families (family.h) turn a config.json into this; blocks (blocks.h, moe.h) read only this. A dense feed-forward layer
// is a mixture of one expert that every token reaches with weight 1.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace moescope::model {

enum class NormKind {
  kRms,              // weight * round(x / rms): Llama
  kRmsRoundedLater,  // round(weight * x / rms): OLMo 2, gpt-oss. Differs from kRms in 16-bit runs only
  kLayerNorm,        // mean and variance, with weight and bias where the checkpoint has them
};

enum class LayerOrder {
  kPreNorm,   // x + f(norm(x)), attention then feed-forward
  kPostNorm,  // x + norm(f(x)): OLMo 2
  kParallel,  // x + attention(norm(x)) + feed_forward(other norm(x)): GPT-NeoX
};

enum class QkNorm {
  kNone,
  kWhole,    // one RMSNorm over all heads' queries (or keys) together, before they are split: OLMoE
  kPerHead,  // one RMSNorm over each head, with one weight for all heads: Qwen3
};

enum class RopeScaling {
  kNone,
  kLinear,  // all frequencies divided by `factor`
  kLlama3,  // low frequencies divided, high ones kept, those between blended
  kYarn,    // Peng et al. 2023, arXiv 2309.00071
};

struct RopeConfig {
  double theta = 10000.0;
  std::int64_t d_rotary = 0;  // leading entries of a head that are turned, even; 0: no rotary positions
  bool interleaved = false;   // pair i is (2i, 2i + 1); otherwise (i, i + d_rotary / 2)
  RopeScaling scaling = RopeScaling::kNone;
  double factor = 1.0;
  std::int64_t n_original_ctx = 0;  // positions before scaling
  double low_freq_factor = 1.0, high_freq_factor = 4.0;
  double beta_fast = 32.0, beta_slow = 1.0;
  bool truncate = true;           // bounds of yarn's ramp are whole numbers
  double attention_factor = 1.0;  // multiplies cos and sin
};

// Multi-head latent attention (DeepSeek-V2, arXiv 2405.04434, section 2.1): keys and values of all heads come from one
// narrow vector, a head is [d_nope entries without position | d_rotary with], values have their own width.
struct LatentConfig {
  std::int64_t q_rank = 0;  // 0: queries come straight from the residual
  std::int64_t kv_rank = 0;
  std::int64_t d_nope = 0;
  std::int64_t d_value = 0;
  double norm_eps = 1e-6;
};

struct AttentionConfig {
  std::int64_t n_heads = 0;
  std::int64_t n_kv_heads = 0;  // divides n_heads
  std::int64_t d_head = 0;      // of queries and keys
  QkNorm qk_norm = QkNorm::kNone;
  std::optional<double> clip_qkv;  // queries, keys and values are clamped to [-clip, clip]
  RopeConfig rope;
  std::optional<double> scale;        // of the scores; d_head^-1/2 without
  std::vector<std::int64_t> windows;  // [L], a position sees so many, itself included; 0: all before it. Empty: all
  bool sinks = false;                 // one more score a head that takes weight and gives nothing: gpt-oss
  bool scale_by_layer = false;        // scores of layer l divided by l + 1: GPT-2's scale_attn_by_inverse_layer_idx
  double position_beta = 0;           // queries times 1 + beta * log(1 + position / n_original_ctx): Ministral 3
  std::optional<LatentConfig> latent;

  double score_scale(std::int64_t layer_idx) const;
  std::int64_t window(std::int64_t layer_idx) const;  // 0: unbounded
  std::int64_t d_value() const { return latent ? latent->d_value : d_head; }
};

enum class Scoring {
  kSoftmax,          // softmax over all experts, then top-k
  kSoftmaxOfChosen,  // top-k of the logits, then softmax over those: gpt-oss
  kSigmoid,          // each expert by itself: DeepSeek-V3
};

enum class GroupScore { kBest, kSumOfBestTwo };

struct RouterConfig {
  std::int64_t n_experts = 0;
  std::int64_t n_experts_per_token = 0;
  bool renormalize = false;  // applied weights are divided by their sum (norm_topk_prob)
  Scoring scoring = Scoring::kSoftmax;
  double sum_floor = 0;  // the sum is taken to be at least this
  double scale = 1.0;    // of the applied weights (routed_scaling_factor)
  // Experts in n_groups runs of equal length; only those of the n_groups_chosen best groups can be chosen.
  std::int64_t n_groups = 1, n_groups_chosen = 1;
  GroupScore group_score = GroupScore::kBest;
};

enum class Activation { kSilu, kGelu, kGeluTanh, kRelu };

// gpt-oss: g = min(gate, limit), u = clamp(up, -limit, limit), neurons = (u + 1) * g * sigmoid(alpha * g).
struct ClampedSwiglu {
  double alpha = 1.702;
  double limit = 7.0;
};

struct ExpertConfig {
  Activation activation = Activation::kSilu;
  bool gated = true;  // neurons = activation(gate x) * (up x); otherwise activation(up x)
  std::optional<ClampedSwiglu> clamped;
};

// Which products have a bias. What a family always has or never has is in its table of weights.
struct Biases {
  bool attention = false;  // queries, keys, values (the down projections of latent attention)
  bool attention_output = false;
  bool dense = false;  // dense layers and shared experts
};

struct ModelConfig {
  std::string family;  // config.json's model_type
  std::int64_t d_model = 0;
  std::int64_t d_expert = 0;  // F, hidden width of one expert; of a dense model the width of its feed-forward layers
  std::int64_t d_dense = 0;   // width of the dense layers of a model that has both kinds
  std::int64_t d_shared = 0;  // width of the expert that every token of a sparse layer reaches besides its own; 0: none
  std::int64_t d_vocab = 0;
  std::int64_t n_layers = 0;
  // Stored behind the last layer to predict further tokens; no forward pass reads them.
  std::int64_t n_further_layers = 0;
  std::int64_t n_ctx = 0;  // max_position_embeddings
  double norm_eps = 1e-5;
  NormKind norm = NormKind::kRms;
  LayerOrder order = LayerOrder::kPreNorm;
  bool learned_positions = false;  // a row of an embedding for each position: GPT-2
  bool tie_embeddings = false;
  AttentionConfig attention;
  RouterConfig router;  // of the sparse layers; one expert, one a token in a dense model
  ExpertConfig expert;
  Biases biases;
  std::vector<bool> dense_layers;  // [L]; empty: none is
  std::vector<std::int64_t> eos_token_ids;

  bool is_dense(std::int64_t layer_idx) const;
  bool all_dense() const;
  bool has_shared(std::int64_t layer_idx) const { return d_shared > 0 && !is_dense(layer_idx); }
  // What a layer has: 1, 1 and the dense width in a dense layer.
  std::int64_t n_experts(std::int64_t layer_idx) const { return is_dense(layer_idx) ? 1 : router.n_experts; }
  std::int64_t n_experts_per_token(std::int64_t layer_idx) const {
    return is_dense(layer_idx) ? 1 : router.n_experts_per_token;
  }
  std::int64_t d_hidden(std::int64_t layer_idx) const {
    return is_dense(layer_idx) && d_dense > 0 ? d_dense : d_expert;
  }

  // All parameters, and those that one token's forward pass uses (embedding rows counted once, unembedding in full).
  std::int64_t n_parameters() const;
  std::int64_t n_active_parameters() const;
  // Multiply-adds times two of one token's forward pass without attention scores (the usual 2 * active parameters,
  // with the unembedding only if `with_unembedding`).
  double flops_per_token(bool with_unembedding) const;
};

}  // namespace moescope::model
