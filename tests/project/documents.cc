#include "tests/project/documents.h"

#include <sys/wait.h>

#include <array>
#include <cstdio>
#include <regex>

#include "moescope/base/error.h"
#include "tests/project/source_tree.h"

namespace moescope::project {
namespace {

std::string quoted_for_shell(const std::string& text) {
  std::string quoted = "'";
  for (const char c : text) quoted += c == '\'' ? std::string("'\\''") : std::string(1, c);
  return quoted + "'";
}

std::string without_trailing_space(const std::string& line) {
  const std::size_t last = line.find_last_not_of(" \t\r");
  return last == std::string::npos ? "" : line.substr(0, last + 1);
}

// `pattern` with "..." for any characters.
bool matches_line(const std::string& pattern, const std::string& line) {
  std::size_t at = 0;
  std::size_t begin = 0;
  for (std::size_t gap = pattern.find("...", begin); gap != std::string::npos; gap = pattern.find("...", begin)) {
    const std::string piece = pattern.substr(begin, gap - begin);
    const std::size_t found = line.find(piece, at);
    if (found == std::string::npos || (begin == 0 && found != 0)) return false;
    at = found + piece.size();
    begin = gap + 3;
  }
  const std::string rest = pattern.substr(begin);
  if (begin == 0) return line == rest;
  return line.size() >= at + rest.size() && line.ends_with(rest);
}

// Reads the commands of one block that begins at lines[at], the line after ```console; `at` ends behind the block.
std::vector<ConsoleCommand> parse_block(const std::vector<std::string>& lines, std::size_t& at, int exit_code) {
  const std::size_t first = at;
  std::vector<ConsoleCommand> commands;
  bool continues = false;
  for (; at < lines.size() && lines[at] != "```"; ++at) {
    std::string line = lines[at];
    if (line.starts_with("$ ")) {
      commands.push_back({line.substr(2), {}, exit_code, static_cast<int>(at) + 1});
    } else if (commands.empty()) {
      throw input_error("output before the first command").at(fmt::format("line {}", at + 1));
    } else if (continues) {
      commands.back().command += "\n" + line;
    } else {
      commands.back().expected.push_back(line);
    }
    continues = (line.starts_with("$ ") || continues) && line.ends_with('\\');
  }
  if (at == lines.size()) throw input_error("the block does not end").at(fmt::format("line {}", first));
  if (commands.empty()) throw input_error("the block has no commands").at(fmt::format("line {}", first));
  return commands;
}

}  // namespace

std::vector<ConsoleCommand> parse_console_commands(const std::string& markdown) {
  static const std::regex kMarker(R"(^<!-- test(: exit ([0-9]+))? -->$)");
  const std::vector<std::string> lines = split_lines(markdown);
  std::vector<ConsoleCommand> commands;
  for (std::size_t at = 0; at < lines.size(); ++at) {
    std::smatch match;
    if (!std::regex_match(lines[at], match, kMarker)) continue;
    if (at + 1 >= lines.size() || lines[at + 1] != "```console") {
      throw input_error("a test marker without ```console below it").at(fmt::format("line {}", at + 1));
    }
    const int exit_code = match[2].matched ? std::stoi(match[2]) : 0;
    at += 2;
    for (ConsoleCommand& command : parse_block(lines, at, exit_code)) commands.push_back(std::move(command));
  }
  return commands;
}

bool matches_output(const std::vector<std::string>& expected, const std::vector<std::string>& printed) {
  // reachable[j]: the expected lines so far describe the first j printed lines.
  std::vector<bool> reachable(printed.size() + 1, false);
  reachable[0] = true;
  for (const std::string& line : expected) {
    const std::string pattern = without_trailing_space(line);
    std::vector<bool> next(printed.size() + 1, false);
    if (pattern == "...") {
      bool seen = false;
      for (std::size_t j = 0; j <= printed.size(); ++j) next[j] = seen = seen || reachable[j];
    } else {
      for (std::size_t j = 0; j < printed.size(); ++j) {
        if (reachable[j] && matches_line(pattern, without_trailing_space(printed[j]))) next[j + 1] = true;
      }
    }
    reachable = next;
  }
  return reachable[printed.size()];
}

CommandResult run_command(const std::string& command, const std::string& folder) {
  const std::string script = "cd " + quoted_for_shell(folder) + " && " + command;
  const std::string line = "bash -c " + quoted_for_shell(script) + " 2>&1 </dev/null";
  std::FILE* pipe = popen(line.c_str(), "r");
  if (pipe == nullptr) throw environment_error("cannot start bash");
  CommandResult result;
  std::array<char, 4096> buffer{};
  for (std::size_t n = 0; (n = std::fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    result.output.append(buffer.data(), n);
  }
  const int status = pclose(pipe);
  result.exit_code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return result;
}

}  // namespace moescope::project
