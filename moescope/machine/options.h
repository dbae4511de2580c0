// On what a command computes: the options that mean the same wherever they are taken.
//
// Threads: n_threads bounds what a function of the library does in threads of its own (tokenizing, fitting). LibTorch's
// pool of threads for one operation belongs to the process, so the program sizes it, once: machine/threads.h.
#pragma once

#include <cstdint>
#include <string>

#include "moescope/base/options.h"

namespace moescope::machine {

// For commands that bring their own model: train, toy.
struct DeviceOptions {
  std::string device = "cpu";  // cpu, cuda (the first card) or cuda:INDEX
  int n_threads = 0;           // 0: all processors

  void describe(OptionList& list);
};

// For commands that open a model.
struct MachineOptions : DeviceOptions {
  std::string dtype = "auto";      // of the computation: auto (chosen for the checkpoint and device), float32, bfloat16
  std::uint64_t memory_bytes = 0;  // budget for all that is resident; 0: half of what is free

  void describe(OptionList& list);
};

}  // namespace moescope::machine
