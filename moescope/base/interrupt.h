// SIGINT and SIGTERM as a flag that long jobs look at between two steps, so that they can save before they end.
#pragma once

namespace moescope {

// Installs the handlers (once, from main). A second signal ends the program at once.
void catch_interrupts();

// The signal that arrived, or 0.
int interrupted();

// Throws Error(kInterrupted) with `advice` ("state saved; the same command goes on") if a signal arrived.
void throw_if_interrupted(const char* advice);

// For tests: pretends that a signal arrived (0 clears it).
void set_interrupted(int signal);

}  // namespace moescope
