#include "moescope/base/interrupt.h"

#include <csignal>

#include "moescope/base/error.h"

namespace moescope {
namespace {

volatile std::sig_atomic_t g_signal = 0;  // the only way a signal handler can speak to the program

extern "C" void on_signal(int signal) {
  if (g_signal != 0) {
    std::signal(signal, SIG_DFL);
    std::raise(signal);
  }
  g_signal = signal;
}

}  // namespace

void catch_interrupts() {
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
}

int interrupted() { return g_signal; }

void throw_if_interrupted(const char* advice) {
  if (g_signal != 0) throw Error(ErrorKind::kInterrupted, std::string("interrupted: ") + advice);
}

void set_interrupted(int signal) { g_signal = signal; }

}  // namespace moescope
