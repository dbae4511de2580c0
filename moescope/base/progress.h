// A progress line for long jobs: share done, rate, time left. On a terminal it redraws itself; elsewhere it writes a
// plain line every `plain_every_s` seconds. It writes to stderr only (stdout is data).
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

namespace moescope {

// "1,234,567" for people.
std::string with_thousands(std::int64_t n);
// "3.2 MB", "1.1 GB" (powers of 1000).
std::string format_bytes(std::uint64_t n_bytes);
// "45 s", "3 min 10 s", "2 h 5 min".
std::string format_duration(double seconds);

// Where the library speaks to people: the command line sets sinks that write to stderr; by default nothing is written.
struct Console {
  std::function<void(const std::string&)> line = [](const std::string&) {};    // one finished line
  std::function<void(const std::string&)> status = [](const std::string&) {};  // replaces the status line; "" clears it
  bool is_terminal = false;
};

// Not thread-safe: one thread reports.
class Progress {
 public:
  // `what`: "record"; `unit`: "tokens"; `total` 0 when unknown.
  Progress(const Console& console, std::string what, std::string unit, std::int64_t total);

  void update(std::int64_t done, const std::string& note = "");
  // Writes the last line: total, rate, time.
  void finish(const std::string& note = "");

  double seconds() const;
  double rate() const;  // units a second since the first update; 0 before it

 private:
  std::string render(const std::string& note) const;

  const Console& console_;
  std::string what_, unit_;
  std::int64_t total_, done_ = 0, start_done_ = -1;
  std::chrono::steady_clock::time_point start_, last_;
};

}  // namespace moescope
