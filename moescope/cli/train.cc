// moescope train: a model from a settings file and flags (defaults < settings file < flags).
#include <fmt/format.h>

#include <cstdio>
#include <memory>
#include <nlohmann/json.hpp>

#include "moescope/cli/command.h"
#include "moescope/cli/heap.h"
#include "moescope/cli/model_flags.h"
#include "moescope/cli/settings_file.h"
#include "moescope/machine/threads.h"
#include "moescope/train/train_files.h"
#include "moescope/train/trainer.h"

namespace moescope::cli {
namespace {

void add_shape_flags(CLI::App& command, train::ModelSettings& model) {
  command.add_option("--d-model", model.d_model, "width of the residual stream")->capture_default_str();
  command.add_option("--n-layers", model.n_layers, "layers")->capture_default_str();
  command.add_option("--n-heads", model.n_heads, "attention heads")->capture_default_str();
  command.add_option("--n-experts", model.n_experts, "experts a layer")->capture_default_str();
  command.add_option("--n-experts-per-token", model.n_experts_per_token, "experts a token")->capture_default_str();
  command.add_option("--d-expert", model.d_expert, "neurons of an expert")->capture_default_str();
  command.add_option("--n-ctx", model.n_ctx, "tokens of a sequence")->capture_default_str();
  command.add_option("--rope-theta", model.rope_theta, "base of the rotary positions")->capture_default_str();
  command.add_flag("--renormalize,!--no-renormalize", model.renormalize, "applied router weights sum to 1");
  command.add_flag("--tie-embeddings,!--no-tie-embeddings", model.tie_embeddings, "one matrix for input and output");
  command.add_option("--init-std", model.init_std, "standard deviation of initial weights")->capture_default_str();
  command.add_option("--router-init-std", model.router_init_std, "and of the routers")->capture_default_str();
}

void add_optimizer_flags(CLI::App& command, train::OptimizerSettings& optimizer) {
  command.add_option("--lr", optimizer.lr, "peak learning rate")->capture_default_str();
  command.add_option("--min-lr-frac", optimizer.min_lr_frac, "the cosine's end, as a share of it")
      ->capture_default_str();
  command.add_option("--warmup-steps", optimizer.warmup_steps, "steps of linear warm-up")->capture_default_str();
  command.add_option("--beta1", optimizer.beta1, "AdamW")->capture_default_str();
  command.add_option("--beta2", optimizer.beta2, "AdamW")->capture_default_str();
  command.add_option("--eps", optimizer.eps, "AdamW")->capture_default_str();
  command.add_option("--weight-decay", optimizer.weight_decay, "AdamW, on matrices only")->capture_default_str();
  command.add_option("--max-grad-norm", optimizer.max_grad_norm, "clip the gradient; 0: never")->capture_default_str();
}

void add_run_flags(CLI::App& command, train::TrainSettings& settings) {
  command.add_option("--corpus", settings.corpora, "text to train on: files, folders or 'system'");
  command.add_option("--text-field", settings.corpus_options.text_field, "JSON key or column of the text")
      ->capture_default_str();
  command.add_option("--domain-field", settings.corpus_options.domain_field, "JSON key of the domain")
      ->capture_default_str();
  command.add_option("--out", settings.out, "folder of the model; a training saved there is gone on with");
  command.add_option("--tokenizer", settings.tokenizer, "tokenizer.json; without it one is trained on the text");
  command.add_option("--vocab-size", settings.vocab_size, "pieces of a tokenizer trained here")->capture_default_str();
  command.add_option("--tokenizer-sample-bytes", settings.tokenizer_sample_bytes, "text it is trained on")
      ->capture_default_str();
  command.add_option("--validation-frac", settings.validation_frac, "share of documents held out")
      ->capture_default_str();
  command.add_option("--seed", settings.seed, "of the initial weights and the order of the text")
      ->capture_default_str();
  command.add_option("--steps", settings.n_steps, "optimiser steps")->capture_default_str();
  command.add_option("--batch-sequences", settings.batch_sequences, "sequences a step")->capture_default_str();
  command.add_option("--micro-sequences", settings.micro_sequences, "sequences a forward pass")->capture_default_str();
  command.add_option("--load-balance-coef", settings.load_balance_coef, "weight of the load-balancing loss")
      ->capture_default_str();
  command.add_option("--router-z-coef", settings.router_z_coef, "weight of the router z loss")->capture_default_str();
  command.add_option("--validate-every", settings.validate_every, "steps")->capture_default_str();
  command.add_option("--validation-sequences", settings.validation_sequences, "sequences held out and measured")
      ->capture_default_str();
  command.add_option("--save-every", settings.save_every, "steps")->capture_default_str();
  command.add_option("--max-minutes", settings.max_minutes, "stop and save after so long; 0: no bound")
      ->capture_default_str();
  add_device_flags(command, settings.machine);
  command.add_option("--dtype", settings.dtype, "float32 or bfloat16, of forward and backward pass")
      ->capture_default_str();
  command.add_option("--save-dtype", settings.save_dtype, "float32 or bfloat16, of model.safetensors")
      ->capture_default_str();
}

void print_result(const train::TrainSettings& settings, const train::TrainResult& result, bool as_json) {
  if (as_json) {
    const nlohmann::json json = {{"out", settings.out},
                                 {"steps", result.n_steps},
                                 {"tokens", result.n_tokens},
                                 {"seconds", result.seconds},
                                 {"finished", result.finished},
                                 {"validation_loss_nats", result.validation.loss},
                                 {"validation_perplexity", result.validation.perplexity}};
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{}: {} steps, {} tokens in {}\n", settings.out, result.n_steps, with_thousands(result.n_tokens),
             format_duration(result.seconds));
  if (result.validation.step > 0) {
    fmt::print("validation loss {:.4f} nats a token, perplexity {:.2f}, at step {}\n", result.validation.loss,
               result.validation.perplexity, result.validation.step);
  }
  if (!result.finished) fmt::print("stopped by --max-minutes; the same command goes on\n");
}

}  // namespace

void add_train(CLI::App& command, const Session& session) {
  auto settings = std::make_shared<train::TrainSettings>();
  auto as_json = std::make_shared<bool>(false);
  auto settings_file = std::make_shared<std::string>();
  command.add_option("--settings", *settings_file, "settings file (TOML): long flags as keys, without dashes in front");
  add_run_flags(command, *settings);
  add_shape_flags(command, settings->model);
  add_optimizer_flags(command, settings->optimizer);
  command.add_flag("--json", *as_json, "print the result as JSON");
  command.footer("Example: moescope train --settings models/tiny-olmoe/recipe.toml --corpus text.jsonl.gz --out model");
  command.callback([settings, settings_file, as_json, &command, &session] {
    apply_settings_file(command, *settings_file);
    machine::set_process_threads(settings->machine.n_threads);
    keep_freed_memory();
    const train::TrainResult result = train::train(*settings, session.console);
    print_result(*settings, result, *as_json);
  });
}

}  // namespace moescope::cli
