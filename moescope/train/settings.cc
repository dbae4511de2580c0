#include "moescope/train/settings.h"

namespace moescope::train {

void ModelSettings::describe(OptionList& list) {
  list.group("Model");
  list.add("d-model", d_model, "width of the residual stream", {.least = 1});
  list.add("n-layers", n_layers, "layers", {.least = 1});
  list.add("n-heads", n_heads, "attention heads", {.least = 1});
  list.add("n-experts", n_experts, "experts a layer", {.least = 1});
  list.add("n-experts-per-token", n_experts_per_token, "experts a token", {.least = 1});
  list.add("d-expert", d_expert, "neurons of an expert", {.least = 1});
  list.add("n-ctx", n_ctx, "tokens of a sequence", {.unit = "tokens", .least = 1});
  list.add("rope-theta", rope_theta, "base of the rotary positions", {.above = 0});
  list.add("renormalize", renormalize, "applied router weights sum to 1");
  list.add("tie-embeddings", tie_embeddings, "one matrix for input and output");
  list.add("init-std", init_std, "standard deviation of initial weights", {.least = 0});
  list.add("router-init-std", router_init_std, "and of the routers", {.least = 0});
}

void OptimizerSettings::describe(OptionList& list) {
  list.group("Optimizer");
  list.add("lr", lr, "peak learning rate", {.above = 0});
  list.add("min-lr-frac", min_lr_frac, "the cosine's end, as a share of it", {.least = 0, .most = 1});
  list.add("warmup-steps", warmup_steps, "of linear warm-up", {.unit = "steps", .least = 0});
  list.add("beta1", beta1, "AdamW", {.least = 0, .below = 1});
  list.add("beta2", beta2, "AdamW", {.least = 0, .below = 1});
  list.add("eps", eps, "AdamW", {.above = 0});
  list.add("weight-decay", weight_decay, "AdamW, on matrices only", {.least = 0});
  list.add("max-grad-norm", max_grad_norm, "clip the gradient; 0: never", {.least = 0});
}

void TrainSettings::describe_run(OptionList& list) {
  list.add("corpus", corpora, "text to train on: files, folders or `system`", {.required = true, .key = "corpora"});
  list.add("out", out, "folder of the model; a training saved there is gone on with",
           {.required = true, .in_identity = false});
  corpus_options.describe(list);
  list.add("validation-frac", validation_frac, "share of documents held out", {.above = 0, .below = 1});
  list.add("validation-sequences", validation_sequences, "held out and measured", {.unit = "sequences", .least = 1});
  list.group("Tokenizer");
  list.add("tokenizer", tokenizer, "tokenizer.json; without it one is trained on the text");
  list.add("vocab-size", vocab_size, "pieces of a tokenizer trained here", {.unit = "pieces", .least = 1});
  list.add_bytes("tokenizer-sample-bytes", tokenizer_sample_bytes, "text it is trained on", {.least = 1});
  list.group("Training");
  list.add("seed", seed, "of the initial weights and the order of the text");
  list.add("steps", n_steps, "of the optimiser", {.unit = "steps", .least = 1, .key = "n_steps"});
  list.add("batch-sequences", batch_sequences, "a step", {.unit = "sequences", .least = 1});
  list.add("micro-sequences", micro_sequences, "a forward pass", {.unit = "sequences", .least = 1});
  list.add("load-balance-coef", load_balance_coef, "weight of the load-balancing loss", {.least = 0});
  list.add("router-z-coef", router_z_coef, "weight of the router z loss", {.least = 0});
  list.add("validate-every", validate_every, "so many", {.unit = "steps", .least = 1, .in_identity = false});
  list.add("save-every", save_every, "so many", {.unit = "steps", .least = 1, .in_identity = false});
  list.add("max-minutes", max_minutes, "stop and save after so long; 0: no bound",
           {.unit = "minutes", .least = 0, .in_identity = false});
  machine.describe(list);
  list.add("dtype", dtype, "of forward and backward pass", {.words = {"float32", "bfloat16"}});
  list.add("save-dtype", save_dtype, "of model.safetensors", {.words = {"float32", "bfloat16"}, .in_identity = false});
}

void TrainSettings::describe(OptionList& list) {
  describe_run(list);
  model.describe(list);
  optimizer.describe(list);
}

}  // namespace moescope::train
