#include <fmt/chrono.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <cstdio>
#include <ctime>
#include <exception>
#include <string>
#include <vector>

#include "moescope/base/error.h"
#include "moescope/base/interrupt.h"
#include "moescope/cli/command.h"

namespace {

using moescope::Error;
using moescope::ErrorKind;

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

std::string help() {
  std::string text =
      "moescope: what every expert of a Mixture-of-Experts language model does\n"
      "Usage: moescope COMMAND [ARGUMENTS] [OPTIONS]\n\nOptions:\n"
      "  -h,--help                   Print this help message and exit\n"
      "  --version                   Print the version and exit\n\nCommands:\n";
  for (const moescope::cli::CommandEntry* entry : moescope::cli::all_commands()) {
    text += fmt::format("  {:<28}{}\n", entry->name, entry->summary);
  }
  return text;
}

void run(const std::vector<std::string>& arguments, const moescope::cli::Session& session) {
  if (arguments.empty()) throw moescope::usage_error("no command given").hint("moescope --help lists them");
  const std::string& first = arguments.front();
  if (first == "--help" || first == "-h") {
    std::fputs(help().c_str(), stdout);
  } else if (first == "--version") {
    std::puts(MOESCOPE_VERSION);
  } else if (first.starts_with("-")) {
    throw moescope::usage_error("unknown option '{}': a command comes first", first).hint("moescope --help lists them");
  } else {
    moescope::cli::run_command(moescope::cli::find_command(first), {arguments.begin() + 1, arguments.end()}, session);
  }
  if (std::fflush(stdout) != 0) throw moescope::environment_error("standard output cannot be written");
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
  try {
    run({argv + std::min(argc, 1), argv + argc}, session);
    return 0;
  } catch (const Error& error) {
    print_error(session.console, error.what());
    return exit_code(error);
  } catch (const std::exception& error) {
    print_error(session.console, error.what());
    return 1;
  }
}
