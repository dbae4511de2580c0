// moescope train: a model from a settings file and flags (defaults < settings file < flags).
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "moescope/cli/command.h"
#include "moescope/cli/heap.h"
#include "moescope/machine/threads.h"
#include "moescope/train/train_files.h"
#include "moescope/train/trainer.h"

namespace moescope::cli {
namespace {

void print_result(const train::TrainSettings& settings, const train::TrainResult& result, bool as_json) {
  if (as_json) {
    const nlohmann::json json = {{"out", settings.out.string()},
                                 {"steps", result.n_steps},
                                 {"tokens", result.n_tokens},
                                 {"seconds", result.seconds},
                                 {"finished", result.finished},
                                 {"validation_loss_nats", result.validation.loss},
                                 {"validation_perplexity", result.validation.perplexity}};
    fmt::print("{}\n", json.dump(2));
    return;
  }
  fmt::print("{}: {} steps, {} tokens in {}\n", settings.out.string(), result.n_steps, with_thousands(result.n_tokens),
             format_duration(result.seconds));
  if (result.validation.step > 0) {
    fmt::print("validation loss {:.4f} nats a token, perplexity {:.2f}, at step {}\n", result.validation.loss,
               result.validation.perplexity, result.validation.step);
  }
  if (!result.finished) fmt::print("stopped by --max-minutes; the same command goes on\n");
}

class TrainCommand : public Command {
 public:
  void describe(OptionList& list) override {
    settings_.describe(list);
    list.group("");
    list.add("json", json_, "print the result as JSON");
  }
  void run(const Session& session) override {
    machine::set_process_threads(settings_.machine.n_threads);
    keep_freed_memory();
    const train::TrainResult result = train::train(settings_, session.console);
    print_result(settings_, result, json_);
  }

 private:
  train::TrainSettings settings_;
  bool json_ = false;
};

}  // namespace

const CommandEntry kTrain = {
    "train", "train a Mixture-of-Experts model that can be analysed",
    "Example: moescope train --settings models/tiny-olmoe/recipe.toml --corpus text.jsonl.gz --out model",
    make<TrainCommand>};

}  // namespace moescope::cli
