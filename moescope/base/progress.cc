#include "moescope/base/progress.h"

#include <fmt/format.h>

#include <array>
#include <utility>

namespace moescope {
namespace {

constexpr double kRedrawSeconds = 0.2;
constexpr double kPlainLineSeconds = 10.0;

double seconds_between(std::chrono::steady_clock::time_point a, std::chrono::steady_clock::time_point b) {
  return std::chrono::duration<double>(b - a).count();
}

}  // namespace

std::string with_thousands(std::int64_t n) {
  std::string digits = std::to_string(n < 0 ? -n : n);
  for (auto at = static_cast<std::ptrdiff_t>(digits.size()) - 3; at > 0; at -= 3) {
    digits.insert(static_cast<std::size_t>(at), ",");
  }
  return n < 0 ? "-" + digits : digits;
}

std::string format_bytes(std::uint64_t n_bytes) {
  static constexpr std::array<const char*, 5> kUnits = {"B", "kB", "MB", "GB", "TB"};
  auto value = static_cast<double>(n_bytes);
  std::size_t unit = 0;
  while (value >= 1000.0 && unit + 1 < kUnits.size()) {
    value /= 1000.0;
    ++unit;
  }
  return unit == 0 ? fmt::format("{} B", n_bytes) : fmt::format("{:.1f} {}", value, kUnits[unit]);
}

std::string format_duration(double seconds) {
  const auto total = static_cast<std::int64_t>(seconds + 0.5);
  if (total < 60) return fmt::format("{} s", total);
  if (total < 3600) return fmt::format("{} min {} s", total / 60, total % 60);
  return fmt::format("{} h {} min", total / 3600, total % 3600 / 60);
}

Progress::Progress(const Console& console, std::string what, std::string unit, std::int64_t total)
    : console_(console),
      what_(std::move(what)),
      unit_(std::move(unit)),
      total_(total),
      start_(std::chrono::steady_clock::now()),
      last_(start_) {}

double Progress::seconds() const { return seconds_between(start_, std::chrono::steady_clock::now()); }

double Progress::rate() const {
  const double elapsed = seconds();
  return start_done_ < 0 || elapsed <= 0 ? 0 : static_cast<double>(done_ - start_done_) / elapsed;
}

std::string Progress::render(const std::string& note) const {
  std::string line = what_ + ": " + with_thousands(done_);
  if (total_ > 0) {
    line += fmt::format(" of {} {} ({:.0f}%)", with_thousands(total_), unit_,
                        100.0 * static_cast<double>(done_) / static_cast<double>(total_));
  } else {
    line += " " + unit_;
  }
  const double per_second = rate();
  if (per_second > 0) {
    line += fmt::format(", {} {}/s", with_thousands(static_cast<std::int64_t>(per_second)), unit_);
    if (total_ > done_) line += ", " + format_duration(static_cast<double>(total_ - done_) / per_second) + " left";
  }
  if (!note.empty()) line += ", " + note;
  return line;
}

void Progress::update(std::int64_t done, const std::string& note) {
  if (start_done_ < 0) start_done_ = done;
  done_ = done;
  const auto now = std::chrono::steady_clock::now();
  if (seconds_between(last_, now) < (console_.is_terminal ? kRedrawSeconds : kPlainLineSeconds)) return;
  last_ = now;
  if (console_.is_terminal) {
    console_.status(render(note));
  } else {
    console_.line(render(note));
  }
}

void Progress::finish(const std::string& note) {
  if (console_.is_terminal) console_.status("");
  std::string line = fmt::format("{}: {} {} in {}", what_, with_thousands(done_), unit_, format_duration(seconds()));
  if (rate() > 0) line += fmt::format(", {} {}/s", with_thousands(static_cast<std::int64_t>(rate())), unit_);
  if (!note.empty()) line += ", " + note;
  console_.line(line);
}

}  // namespace moescope
