#include "moescope/machine/options.h"

namespace moescope::machine {

void DeviceOptions::describe(OptionList& list) {
  list.group("Machine");
  list.add("device", device, "cpu, cuda or cuda:INDEX", {.in_identity = false});
  list.add("threads", n_threads, "0: all processors", {.least = 0, .in_identity = false});
}

// run.json has the dtype that was chosen beside the one that was asked for, and identities have the first.
void MachineOptions::describe(OptionList& list) {
  DeviceOptions::describe(list);
  list.add("dtype", dtype, "in which the model runs; auto: chosen for its checkpoint and the device",
           {.words = {"auto", "float32", "bfloat16"}, .in_identity = false, .key = "dtype_asked"});
  list.add_bytes("memory", memory_bytes, "budget such as 8G; 0: half of what is free",
                 {.in_identity = false, .key = "memory_bytes"});
}

}  // namespace moescope::machine
