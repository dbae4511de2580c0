// Opens a checkpoint with the installed package: LibTorch, fmt and JSON come with the room.
#include <cstdio>

#include "moescope/model/weights.h"

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const auto checkpoint = moescope::model::Checkpoint::open(moescope::io::find_checkpoint(argv[1]));
  std::printf("%lld experts\n", static_cast<long long>(checkpoint.config().router.n_experts));
  return 0;
}
