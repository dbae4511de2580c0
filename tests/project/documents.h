// Commands in Markdown documents, run as a reader would run them, and their output compared.
//
// A fenced block ```console is run when the line before it is <!-- test --> (or <!-- test: exit 1 -->, for a command
// that must fail so). In it, "$ " begins a command, a trailing backslash continues it, and the lines up to the next
// command are what it prints (stdout and stderr together). "..." stands for anything: alone on a line for any number of
// lines, within a line for any characters. A command without lines below it only has to end with the exit code.
// Non-goals: interactive commands, blocks in lists or quotes.
#pragma once

#include <string>
#include <vector>

namespace moescope::project {

struct ConsoleCommand {
  std::string command;                // as it is given to bash
  std::vector<std::string> expected;  // lines of output; empty: not compared
  int exit_code = 0;
  int line = 0;  // where it stands in the document, from 1
};

// Throws input_error for a marker without a block, a block without commands or without an end.
std::vector<ConsoleCommand> parse_console_commands(const std::string& markdown);

// Whether `printed` is what `expected` describes, with "..." as above. White space at the ends of lines is ignored.
bool matches_output(const std::vector<std::string>& expected, const std::vector<std::string>& printed);

struct CommandResult {
  std::string output;  // stdout and stderr as they came
  int exit_code = 0;   // 128 + n for signal n
};

// Runs `command` with bash in `folder`.
CommandResult run_command(const std::string& command, const std::string& folder);

}  // namespace moescope::project
