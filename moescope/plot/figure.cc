#include "moescope/plot/figure.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>

#include "moescope/base/error.h"
#include "moescope/io/file.h"
#include "moescope/io/quote.h"

extern char** environ;  // NOLINT(readability-redundant-declaration): not in every C library's headers

namespace moescope::plot {

namespace {

namespace fs = std::filesystem;

std::string script(const Figure& figure, const std::string& base) {
  std::string text = "# Made by moescope; run with: gnuplot " + figure.name + ".gp\n" + figure.data;
  const std::string font = "font 'DejaVu Sans,11'";
  const std::string size = fmt::format("{},{}", figure.width, figure.height);
  text += fmt::format(
      "set terminal svg noenhanced size {} {} background '#ffffff'\nset output '{}.svg.tmp'\n{}\nunset output\nreset\n",
      size, font, base, figure.body);
  text += fmt::format("set terminal pngcairo noenhanced size {},{} {} fontscale 1.6 linewidth 1.6 pointscale 1.6\n",
                      figure.width * 16 / 10, figure.height * 16 / 10, "font 'DejaVu Sans,10'");
  text += fmt::format("set output '{}.png.tmp'\n{}\nunset output\n", base, figure.body);
  return text;
}

// Runs `gnuplot SCRIPT` in `folder` and returns what it said on stderr. Throws if it cannot be started.
std::string run_gnuplot(const fs::path& script_path, int& exit_status) {
  std::array<int, 2> pipe_ends{};
  if (pipe(pipe_ends.data()) != 0) throw environment_error("no pipe: {}", std::strerror(errno));
  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  posix_spawn_file_actions_adddup2(&actions, pipe_ends[1], STDERR_FILENO);
  posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
  posix_spawn_file_actions_addclose(&actions, pipe_ends[0]);
  std::string program = "gnuplot", file = script_path.string();
  std::array<char*, 3> arguments = {program.data(), file.data(), nullptr};
  pid_t child = 0;
  const int failed = posix_spawnp(&child, program.c_str(), &actions, nullptr, arguments.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  close(pipe_ends[1]);
  std::string said;
  std::array<char, 4096> buffer{};
  for (ssize_t n = 0; failed == 0 && (n = read(pipe_ends[0], buffer.data(), buffer.size())) != 0;) {
    if (n > 0) said.append(buffer.data(), static_cast<std::size_t>(n));
    if (n < 0 && errno != EINTR) break;
  }
  close(pipe_ends[0]);
  if (failed != 0) {
    throw environment_error("gnuplot cannot be started: {}", std::strerror(failed))
        .hint("install the package gnuplot-nox, or ask for no figures (option 'figures')");
  }
  while (waitpid(child, &exit_status, 0) < 0 && errno == EINTR) {
  }
  return said;
}

}  // namespace

void draw(const fs::path& folder, const Figure& figure) {
  const fs::path script_path = fs::absolute(folder) / (figure.name + ".gp");
  std::string base = (fs::absolute(folder) / figure.name).string();
  if (base.find_first_of("'\n") != std::string::npos) {
    throw input_error("{}: gnuplot takes no folder with a quote or a line end in its name", io::quote_name(base));
  }
  io::write_file_atomically(script_path, script(figure, base));
  int exit_status = 0;
  std::string said;
  for (const char* kind : {".svg", ".png"}) fs::remove(base + kind + ".tmp");
  said = run_gnuplot(script_path, exit_status);
  const bool is_written = fs::exists(base + ".svg.tmp") && fs::exists(base + ".png.tmp");
  if (!WIFEXITED(exit_status) || WEXITSTATUS(exit_status) != 0 || !is_written) {
    throw environment_error("gnuplot failed: {}", io::quote_name(said.substr(0, 400))).at(script_path.string());
  }
  for (const char* kind : {".svg", ".png"}) fs::rename(base + kind + ".tmp", base + kind);
}

}  // namespace moescope::plot
