// Everything that decides a training run, with its defaults. training.json and the checkpoint keep it in full.
#pragma once

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "moescope/io/documents.h"
#include "moescope/machine/options.h"

namespace moescope::train {

struct ModelSettings {
  std::int64_t d_model = 192;
  std::int64_t n_layers = 4;
  std::int64_t n_heads = 6;
  std::int64_t n_experts = 32;
  std::int64_t n_experts_per_token = 4;
  std::int64_t d_expert = 96;
  std::int64_t n_ctx = 256;
  double rope_theta = 10000.0;
  bool renormalize = false;  // divide applied router weights by their sum (norm_topk_prob)
  bool tie_embeddings = false;
  double init_std = 0.02;         // normal; output projections divided by sqrt(2 * n_layers)
  double router_init_std = 0.02;  // larger: routing is decided from the start, and experts differ sooner

  void describe(OptionList& list);
};

struct OptimizerSettings {
  double lr = 1e-3;
  double min_lr_frac = 0.1;  // the cosine ends at min_lr_frac * lr
  std::int64_t warmup_steps = 100;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.1;   // on tensors of two and more dimensions only
  double max_grad_norm = 1.0;  // 0: no clipping

  void describe(OptionList& list);
};

struct TrainSettings {
  std::vector<std::filesystem::path> corpora;  // files, folders or `system`; read in order
  io::CorpusOptions corpus_options;
  std::filesystem::path out;        // folder of the model; its folder `state` holds what resuming needs
  std::filesystem::path tokenizer;  // tokenizer.json; "": train one of vocab_size pieces on the corpora
  std::int64_t vocab_size = 4096;
  std::int64_t tokenizer_sample_bytes = 16 << 20;  // train the tokenizer on documents worth so much text
  double validation_frac = 0.01;                   // share of documents held out, by a hash of the document
  std::int64_t seed = 1;
  std::int64_t n_steps = 1000;
  std::int64_t batch_sequences = 32;  // sequences a step
  std::int64_t micro_sequences = 32;  // sequences a forward pass; gradients are summed over a step's passes
  double load_balance_coef = 0.01;
  double router_z_coef = 0.001;
  std::int64_t validate_every = 200;  // steps
  std::int64_t validation_sequences = 64;
  std::int64_t save_every = 200;  // steps
  double max_minutes = 0;         // stop and save after so long, as a signal would; 0: no bound
  machine::DeviceOptions machine;
  std::string dtype = "float32";        // of the forward and backward pass; parameters and optimiser stay float32
  std::string save_dtype = "bfloat16";  // of model.safetensors
  ModelSettings model;
  OptimizerSettings optimizer;

  void describe(OptionList& list);
  void describe_run(OptionList& list);  // all but model and optimizer
};

}  // namespace moescope::train
