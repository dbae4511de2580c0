#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <string_view>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/cli/command.h"

namespace {

using moescope::Error;
using moescope::ErrorKind;
using moescope::cli::CommandEntry;

constexpr std::array kCommands = {
    CommandEntry{"analyze", "record, label and report in one go: what every expert does", moescope::cli::add_analyze},
    CommandEntry{"info", "what a checkpoint is", moescope::cli::add_info},
    CommandEntry{"tokenize", "ids and character offsets of a text", moescope::cli::add_tokenize},
    CommandEntry{"generate", "text from a model", moescope::cli::add_generate},
    CommandEntry{"trace", "all that the taps see for one input, as safetensors", moescope::cli::add_trace},
    CommandEntry{"record", "one pass over a corpus: statistics, evidence, routing trace", moescope::cli::add_record},
    CommandEntry{"label", "a scored rule in words for every expert of a recorded run", moescope::cli::add_label},
    CommandEntry{"report", "one HTML page from a run directory", moescope::cli::add_report},
    CommandEntry{"probe", "k-sparse probes: how single-minded are an expert's neurons?", moescope::cli::add_probe},
    CommandEntry{"compare", "probe results of several models as tables and figures", moescope::cli::add_compare},
    CommandEntry{"superpose", "superposition in a trained model's experts, beside null models",
                 moescope::cli::add_superpose},
    CommandEntry{"train", "train a Mixture-of-Experts model that can be analysed", moescope::cli::add_train},
    CommandEntry{"toy", "toy models of superposition: thousands of small mixtures of experts", moescope::cli::add_toy},
};

moescope::Console stderr_console() {
  moescope::Console console;
  console.is_terminal = isatty(STDERR_FILENO) != 0;
  console.line = [](const std::string& text) { std::fprintf(stderr, "%s\n", text.c_str()); };
  if (console.is_terminal) {
    console.status = [](const std::string& text) {
      std::fprintf(stderr, "\r\033[K%s", text.c_str());
      std::fflush(stderr);
    };
  }
  return console;
}

std::string utc_now() { return fmt::format("{:%Y-%m-%dT%H:%M:%SZ}", fmt::gmtime(std::time(nullptr))); }

// One line on stderr, in place of a status line that may stand there.
void print_error(const moescope::Console& console, const char* message) {
  console.status("");
  std::fprintf(stderr, "moescope: %s\n", message);
}

// CLI11 would only say that a command is missing.
bool is_unknown_command(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') return false;
  return std::none_of(kCommands.begin(), kCommands.end(),
                      [&](const CommandEntry& entry) { return std::string_view(argv[1]) == entry.name; });
}

int exit_code(const Error& error) {
  switch (error.kind()) {
    case ErrorKind::kUsage: return 2;
    case ErrorKind::kInterrupted: return 128 + moescope::interrupted();
    case ErrorKind::kInput:
    case ErrorKind::kEnvironment: return 1;
  }
  return 1;
}

}  // namespace

int main(int argc, char** argv) {
  moescope::catch_interrupts();
  const moescope::cli::Session session{stderr_console(), {{argv, argv + argc}, utc_now()}};
  CLI::App app("moescope: what every expert of a Mixture-of-Experts language model does");
  app.set_version_flag("--version", MOESCOPE_VERSION);
  app.require_subcommand(1);
  for (const CommandEntry& entry : kCommands) {
    CLI::App* command = app.add_subcommand(entry.name, entry.summary);
    entry.add(*command, session);
  }
  try {
    if (is_unknown_command(argc, argv)) {
      throw moescope::usage_error("unknown command '{}' (moescope --help lists them)", argv[1]);
    }
    app.parse(argc, argv);
    if (std::fflush(stdout) != 0) throw moescope::environment_error("standard output cannot be written");
    return 0;
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  } catch (const Error& error) {
    print_error(session.console, error.what());
    return exit_code(error);
  } catch (const std::exception& error) {
    print_error(session.console, error.what());
    return 1;
  }
}
