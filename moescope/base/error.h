// The one exception type of the library: bad input or a bad environment, told in one line.
//
// Goal: every failure a user can cause names the file, the item in it, what was expected, what was found and what to
// do. Non-goals: control flow (expected outcomes of one item are values), and our own bugs (MOESCOPE_ASSERT).
#pragma once

#include <fmt/format.h>

#include <stdexcept>
#include <string>
#include <utility>

namespace moescope {

enum class ErrorKind {
  kInput,        // a file, a tensor, a line or a setting is wrong: exit code 1
  kEnvironment,  // disk full, a device or a package is missing: exit code 1
  kUsage,        // impossible combination of flags: exit code 2
  kInterrupted,  // SIGINT or SIGTERM, after the state was saved: exit code 128 + signal
};

// Thrown by every room; caught once, in cli/main.cc. what() is one line: "PLACE: MESSAGE (HINT)".
class Error : public std::runtime_error {
 public:
  Error(ErrorKind kind, const std::string& line) : std::runtime_error(line), kind_(kind) {}

  ErrorKind kind() const { return kind_; }

  // The same error with a place (file, tensor, line) before its message.
  Error at(const std::string& place) const { return Error(kind_, place + ": " + what()); }

  // The same error with advice behind its message.
  Error hint(const std::string& advice) const { return Error(kind_, std::string(what()) + " (" + advice + ")"); }

 private:
  ErrorKind kind_;
};

template <typename... Args>
Error input_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorKind::kInput, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
Error environment_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorKind::kEnvironment, fmt::format(format, std::forward<Args>(args)...));
}

template <typename... Args>
Error usage_error(fmt::format_string<Args...> format, Args&&... args) {
  return Error(ErrorKind::kUsage, fmt::format(format, std::forward<Args>(args)...));
}

namespace detail {
[[noreturn]] void assertion_failed(const char* condition, const char* file, int line);
}

// States an invariant that no input can break; a failure is our bug and ends the program with a request to report it.
#define MOESCOPE_ASSERT(condition) \
  ((condition) ? static_cast<void>(0) : ::moescope::detail::assertion_failed(#condition, __FILE__, __LINE__))

}  // namespace moescope
